#include "libsync/meta/book.h"

#include <algorithm>

#include "libproto/limits.h"
#include "libsync/meta/fake_super.h"

namespace ocsync::sync {

namespace {

constexpr std::string_view kUser = "user.";
constexpr std::string_view kSystem = "system.";
constexpr std::string_view kOwn = "user.rsync.";  // what this program keeps for itself or in disguise
constexpr std::string_view kOwnHidden = "user.rsync.%";

void sort_names(proto::WireAcl& acl) {
  std::ranges::stable_sort(acl.names, [](const proto::AclName& a, const proto::AclName& b) {
    return a.user != b.user ? a.user : a.id < b.id;
  });
}

std::string key_of(const proto::WireAcl& acl) {
  std::string key{static_cast<char>(acl.user_obj), static_cast<char>(acl.group_obj), static_cast<char>(acl.mask),
                  static_cast<char>(acl.other)};
  for (const proto::AclName& name : acl.names) {
    key.append(reinterpret_cast<const char*>(&name.id), sizeof name.id);
    key += static_cast<char>(name.access);
    key += name.user ? 'u' : 'g';
  }
  return key;
}

}  // namespace

// --- policy ---------------------------------------------------------------------------------------------------------

bool XattrPolicy::concerns(std::string_view name, Side side) const {
  if (filters && filters->has_xattr_rules()) {
    if (filters->xattr_verdict(name, side) == Verdict::kExclude) return false;
  } else if (side == Side::kReceiver && !privileged) {
    if (!name.starts_with(kUser)) return false;
  } else if (name.starts_with(kSystem)) {
    return false;
  }
  if (!name.starts_with(kOwnHidden)) return true;
  if (side == Side::kSender && level < 2) return false;
  return !(fake_super && is_fake_super_name(name));
}

std::string XattrPolicy::stored_name(const std::string& wire_name) const {
  std::string name = wire_name;
  const bool ruled = filters && filters->has_xattr_rules();
  if (ruled && filters->xattr_verdict(name, Side::kReceiver) == Verdict::kExclude) return {};
  if (!privileged && !name.starts_with(kUser)) {
    if (!fake_super && !ruled) return {};
    name.insert(0, kOwn);
  }
  if (level < 2 && name.starts_with(kOwnHidden)) return {};
  return name;
}

std::string XattrPolicy::sent_name(const std::string& name) const {
  if (fake_super && name.starts_with(kOwn) && !name.starts_with(kOwnHidden) && name.size() > kOwn.size())
    return name.substr(kOwn.size());
  return name;
}

// --- ACLs -----------------------------------------------------------------------------------------------------------

int32_t MetaBook::add_acl(proto::AclKind kind, proto::WireAcl acl) {
  const auto k = static_cast<size_t>(kind);
  const std::string key = key_of(acl);
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = acl_numbers_[k].try_emplace(key, static_cast<int32_t>(acls_[k].size()));
  if (fresh) acls_[k].push_back(std::move(acl));
  return at->second;
}

int32_t MetaBook::append_acl(proto::AclKind kind, proto::WireAcl acl) {
  const auto k = static_cast<size_t>(kind);
  const std::lock_guard lock(mutex_);
  acls_[k].push_back(std::move(acl));
  return static_cast<int32_t>(acls_[k].size() - 1);
}

proto::WireAcl MetaBook::acl(proto::AclKind kind, int32_t number) const {
  const std::lock_guard lock(mutex_);
  return acls_[static_cast<size_t>(kind)][static_cast<size_t>(number)];
}

void MetaBook::map_acls(const std::function<uint32_t(uint32_t)>& user, const std::function<uint32_t(uint32_t)>& group) {
  const std::lock_guard lock(mutex_);
  for (size_t k = 0; k < 2; ++k) {
    for (; mapped_[k] < acls_[k].size(); ++mapped_[k]) {
      proto::WireAcl& acl = acls_[k][mapped_[k]];
      for (proto::AclName& name : acl.names) name.id = name.user ? user(name.id) : group(name.id);
      sort_names(acl);
    }
  }
}

bool same_beyond_mode(const proto::WireAcl& here, const proto::WireAcl& listed, uint32_t mode) {
  const bool mask_here = here.mask != proto::kNoAccess, mask_listed = listed.mask != proto::kNoAccess;
  if (mask_here != mask_listed) return false;
  if (mask_here) {
    // With a mask, the bits of the group in the mode are the mask's, and the owning group has an entry of its own.
    const uint8_t group = listed.group_obj != proto::kNoAccess ? listed.group_obj : static_cast<uint8_t>(mode >> 3 & 7);
    if (here.group_obj != group) return false;
  }
  return here.names == listed.names;
}

// --- sets of the sending side ---------------------------------------------------------------------------------------

int32_t MetaBook::add_set(const Attributes& read) {
  std::string key;
  Set set;
  for (const Attribute& a : read) {
    Known known;
    known.name = a.name;
    known.item = static_cast<int32_t>(set.known.size()) + 1;
    known.wire = proto::wire_xattr(policy.sent_name(a.name), as_bytes(a.value));
    key.append(a.name).append(1, '\0').append(std::to_string(a.value.size())).append(1, '\0').append(known.wire.value);
    known.whole = !known.wire.abbreviated() || keep_values_;
    if (known.wire.abbreviated() && keep_values_) known.value = a.value;
    set.known.push_back(std::move(known));
  }
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = set_numbers_.try_emplace(std::move(key), static_cast<int32_t>(sets_.size()));
  if (!fresh) return at->second;
  if (keep_values_) {
    // Without a wire between the ends, the names are those the receiving side would give them.
    std::vector<Known> stored;
    for (Known& known : set.known) {
      known.name = policy.stored_name(known.wire.name);
      if (!known.name.empty()) stored.push_back(std::move(known));
    }
    std::ranges::stable_sort(stored, {}, &Known::name);
    set.known = std::move(stored);
  }
  sets_.push_back(std::move(set));
  return at->second;
}

proto::WireXattrs MetaBook::wire_set(int32_t number) const {
  const std::lock_guard lock(mutex_);
  proto::WireXattrs out;
  for (const Known& known : sets_[static_cast<size_t>(number)].known) out.push_back(known.wire);
  return out;
}

std::string MetaBook::name_here(int32_t set, int32_t item) const {
  const std::lock_guard lock(mutex_);
  for (const Known& known : sets_[static_cast<size_t>(set)].known)
    if (known.item == item) return known.name;
  return {};
}

// --- sets of the receiving side -------------------------------------------------------------------------------------

int32_t MetaBook::append_set(proto::WireXattrs& wire) {
  Set set;
  set.wire = &wire;
  int32_t item = 0;
  for (const proto::WireXattr& x : wire) {
    ++item;
    Known known;
    known.name = policy.stored_name(x.name);
    if (known.name.empty()) continue;
    known.item = item;
    known.wire = x;
    known.whole = !x.abbreviated();
    set.known.push_back(std::move(known));
  }
  std::ranges::stable_sort(set.known, {}, &Known::name);
  const std::lock_guard lock(mutex_);
  sets_.push_back(std::move(set));
  return static_cast<int32_t>(sets_.size() - 1);
}

bool MetaBook::differs(int32_t number, const Attributes* here, bool settle, bool replaces) {
  const std::lock_guard lock(mutex_);
  if (number < 0) return here && !here->empty();
  Set& set = sets_[static_cast<size_t>(number)];
  const size_t count = here ? here->size() : 0;
  bool differ = count != set.known.size();
  std::vector<std::pair<Known*, const Attribute*>> same_long;
  size_t at = 0;
  for (Known& known : set.known) {
    while (at < count && (*here)[at].name < known.name) {
      ++at;
      differ = true;
    }
    const Attribute* match = at < count && (*here)[at].name == known.name ? &(*here)[at++] : nullptr;
    bool same = match && match->value.size() == known.wire.value_bytes;
    if (same) {
      if (!known.wire.abbreviated())
        same = match->value == known.wire.value;
      else
        same = proto::wire_xattr(known.wire.name, as_bytes(match->value)).value == known.wire.value;
    }
    if (!same) differ = true;
    if (known.whole) continue;
    if (same)
      same_long.emplace_back(&known, match);
    else if (settle)
      known.wanted = true;
  }
  if (at < count) differ = true;
  // The object may be replaced before its values are needed for the new one.
  if (settle && (differ || replaces)) {
    for (const auto& [known, match] : same_long) {
      known->value = match->value;
      known->whole = true;
      known->wanted = false;
    }
  }
  return differ;
}

Status MetaBook::write_request(int32_t number, Writer& out) {
  std::vector<int32_t> items;
  proto::WireXattrs copy;
  if (number >= 0) {
    const std::lock_guard lock(mutex_);
    Set& set = sets_[static_cast<size_t>(number)];
    for (Known& known : set.known) {
      if (!known.wanted) continue;
      known.wanted = false;
      proto::WireXattr& wire = (*set.wire)[static_cast<size_t>(known.item) - 1];
      if (wire.asked) continue;
      items.push_back(known.item);
      copy = *set.wire;
    }
    for (const int32_t item : items) (*set.wire)[static_cast<size_t>(item) - 1].asked = true;
  }
  std::ranges::sort(items);
  // Not under the lock: writing may wait for the far side, which may wait for the thread that reads.
  return proto::write_xattr_request(copy, items, out);
}

Status MetaBook::read_values(int32_t number, Reader& in) {
  if (number < 0) return fail(Fault::kProtocol, "recv_xattr_request: internal data error!");
  proto::WireXattrs copy;
  {
    const std::lock_guard lock(mutex_);
    copy = *sets_[static_cast<size_t>(number)].wire;
  }
  std::vector<proto::XattrValue> values = TRY(proto::read_xattr_values(copy, in));
  const std::lock_guard lock(mutex_);
  Set& set = sets_[static_cast<size_t>(number)];
  for (proto::XattrValue& value : values) {
    for (Known& known : set.known) {
      if (known.item != value.number) continue;
      fetched_bytes_ += value.value.size();
      if (fetched_bytes_ > proto::kMaxCacheBytes)
        return fail(Fault::kMemory, "the far side sends too many different extended attributes");
      known.value = std::move(value.value);
      known.whole = true;
      break;
    }
  }
  return {};
}

MetaBook::Wanted MetaBook::wanted(int32_t number) const {
  Wanted out;
  if (number < 0) return out;
  const std::lock_guard lock(mutex_);
  for (const Known& known : sets_[static_cast<size_t>(number)].known) {
    if (known.whole)
      out.attributes.push_back({known.name, known.full()});
    else
      out.missing.push_back(known.name);
  }
  return out;
}

}  // namespace ocsync::sync
