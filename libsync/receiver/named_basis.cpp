#include "libsync/receiver/named_basis.h"

#include <fmt/format.h>

#include "libsync/filter/rules.h"
#include "libsync/list/paths.h"

namespace ocsync::sync {

bool NamedBasis::hidden(const std::string& path) const {
  return terms_.module_filters != nullptr && terms_.module_filters->module_hides(path, false);
}

Result<Basis> NamedBasis::in_basis_dir(int index, const std::string& path, uint8_t type) {
  if (index >= static_cast<int>(terms_.options.basis_dirs.size()))
    return fail(Fault::kProtocol, fmt::format("invalid basis_dir index: {}.", index));
  if (!dirs_) dirs_ = BasisDirs::open(terms_, destination_);
  Basis basis;
  basis.type = type;
  basis.dir = dirs_->dir(index, dir_of_path(path));
  basis.leaf = leaf_of_path(path);
  basis.path = join_path(dirs_->name(index), path);
  return basis;
}

Result<Basis> NamedBasis::of(const proto::Item& answer, const Request& request) {
  if (!terms_.agreed.item_flags || (answer.basis == request.item.basis && answer.xname == request.item.xname))
    return request.basis;
  Basis target;
  target.dir = request.dir;
  target.leaf = request.leaf;
  target.path = request.path;
  const uint8_t type = answer.basis;
  if (type < proto::kBasisTarget) return hidden(request.path) ? target : in_basis_dir(type, request.path, type);
  if (type == proto::kBasisTarget) return target;
  // Partial directory and backup: only if we chose them.
  if (type < proto::kBasisFuzzy) return Basis{};
  const std::string similar = join_path(dir_of_path(request.path), sanitized_path(answer.xname, "", 0, false));
  if (type > proto::kBasisFuzzy) {
    if (hidden(similar)) return target;
    return in_basis_dir(type - proto::kBasisFuzzy - 1, similar, type);
  }
  if (terms_.options.fuzzy == 0)
    return fail(Fault::kProtocol, fmt::format("rsync: refusing malicious fuzzy operation for {}", answer.xname));
  if (hidden(similar)) return target;
  Basis basis;
  basis.type = type;
  if (const auto dir = destination_.dir(dir_of_path(similar))) basis.dir = *dir;
  basis.leaf = leaf_of_path(similar);
  basis.path = similar;
  return basis;
}

}  // namespace ocsync::sync
