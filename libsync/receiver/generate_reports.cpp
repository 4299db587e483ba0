// What the generating role says: items, and the lines of -v about what was left alone.
#include "libsync/receiver/generate_spot.h"

#include "libsync/meta/read.h"
#include "libsync/report/item_text.h"

namespace ocsync::sync {

using proto::Item;

Status Generator::report(Spot& spot, const std::optional<io::FileInfo>& compared, uint32_t flags, std::string xname,
                         std::optional<uint32_t> meta) {
  if (spot.quiet) return {};
  Item item;
  flags |= meta ? *meta : meta_flags(spot, compared, nullptr, false);
  item.flags = report_flags(*spot.entry, spot.mode, compared, flags, xname.empty(), terms_);
  item.xname = std::move(xname);
  const bool shown =
      (item.flags & proto::kSignificantItemFlags) != 0 || !item.xname.empty() || terms_.reporter.shows_unchanged();
  if (!shown) return {};
  spot.wants_xattrs = terms_.local && !terms_.options.dry_run && (item.flags & proto::kReportXattr) != 0;
  return transfers_.report(spot.ndx, spot.segment, *spot.entry, item);
}

// What differs in ACLs and extended attributes; notes which values the item has to ask for. `at` is what `compared`
// describes, if it is not what lies at the spot.
uint32_t Generator::meta_flags(const Spot& spot, const std::optional<io::FileInfo>& compared, const Object* at,
                               bool replaces, uint32_t which) {
  if (!terms_.options.acls && terms_.options.xattrs == 0) return 0;
  if (!compared) return meta_report(*spot.entry, spot.mode, nullptr, nullptr, terms_, true, replaces, which);
  if (at) return meta_report(*spot.entry, spot.mode, at, &*compared, terms_, true, replaces, which);
  if (!spot.dir) return 0;
  const Object object = spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir);
  return meta_report(*spot.entry, spot.mode, &object, &*compared, terms_, true, replaces, which);
}

Status Generator::success(Spot& spot) {
  if (!terms_.options.remove_source_files || terms_.options.dry_run) return {};
  return transfers_.success(spot.ndx, spot.segment, *spot.entry, spot.path);
}

// `now` is what lies there, if the caller knows; afterwards it is what the item is to be told against.
unsigned Generator::apply(Spot& spot, std::optional<io::FileInfo>& now, bool created) {
  if (terms_.options.dry_run) return 0;
  const Object object = spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir);
  if (!now) {
    const auto fresh = object.info();
    if (!fresh) {
      terms_.reporter.error_transfer(Role::kGenerator, fmt::format("stat {} failed", destination_.shown(spot.path)),
                                     fresh.error().sys);
      return 0;
    }
    now = *fresh;
  }
  return apply_attributes(*spot.entry, spot.mode, object, *now, terms_, Role::kGenerator,
                          [&] { return destination_.shown(spot.path); },
                          {.exact_times = terms_.options.checksum && spot.entry->is_regular(), .created = created});
}

// Of a local run: no values travel, so what a receiver does when they have come is done here, after everything else.
void Generator::apply_reported_xattrs(const Spot& spot) {
  if (!spot.wants_xattrs || !spot.dir) return;
  const Object object = spot.leaf ? Object::named(*spot.dir, *spot.leaf) : Object::itself(*spot.dir);
  apply_values(*spot.entry, object, terms_, [&] { return destination_.shown(spot.path); });
}

bool Generator::names_itself() const {
  const Options& o = terms_.options;
  if (terms_.agreed.item_flags) return terms_.reporter.log_names_made();
  return terms_.am_server || o.itemize == 0;
}

void Generator::name_itself(const Spot& spot, std::string_view between, std::string_view what) const {
  if (!names_itself() || spot.quiet || !terms_.options.verbosity.shows(Info::kName, 1)) return;
  const std::string line = fmt::format("{}{}{}", spot.path, between, what);
  if (terms_.agreed.item_flags)
    terms_.reporter.log_line(line);
  else
    terms_.reporter.info_line(line);
}

void Generator::say_skip(Spot& spot, const Decision& decision) {
  const std::string name = destination_.solo() ? spot.entry->path() : spot.path;
  Reporter& reporter = terms_.reporter;
  switch (decision.why) {
    case Why::kNotExisting:
      reporter.info_line_if(
          Info::kSkip, 1, fmt::format("not creating new {} \"{}\"", spot.entry->is_dir() ? "directory" : "file", name));
      break;
    case Why::kExists: {
      std::string_view how;
      if (terms_.options.verbosity.shows(Info::kSkip, 2) && spot.dir && spot.leaf) {
        DiskProbe probe(*spot.dir, *spot.leaf, terms_, spot.here->size);
        if (kind_of(spot.here->mode) != kind_of(spot.entry->mode))
          how = " (type change)";
        else if (!quick_check(*spot.entry, *spot.here, probe, terms_, Attempt::kFirst))
          how = terms_.options.checksum ? " (sum change)" : " (file change)";
        else if (!attributes_match(*spot.entry, spot.mode, *spot.here, terms_))
          how = " (attr change)";
        else if (const Object object = Object::named(*spot.dir, *spot.leaf);
                 meta_report(*spot.entry, spot.mode, &object, &*spot.here, terms_, false, false) != 0)
          how = " (attr change)";
        else
          how = " (uptodate)";
      }
      reporter.info_line_if(Info::kSkip, 1, fmt::format("{} exists{}", name, how));
      break;
    }
    case Why::kUnsafeLink:
      reporter.info_line_if(Info::kName, 1,
                            fmt::format("ignoring unsafe symlink \"{}\" -> \"{}\"", name, spot.entry->target()));
      break;
    case Why::kNonRegular:
      reporter.info_line_if(Info::kNonreg, 1, fmt::format("skipping non-regular file \"{}\"", name));
      break;
    case Why::kTooLarge: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is over max-size", name)); break;
    case Why::kTooSmall: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is under min-size", name)); break;
    case Why::kNewerHere: reporter.info_line_if(Info::kSkip, 1, fmt::format("{} is newer", name)); break;
    default: break;
  }
}

bool Generator::tells_uptodate() const {
  const Options& o = terms_.options;
  if (!o.verbosity.shows(Info::kName, 2)) return false;
  if (terms_.am_server && !terms_.agreed.item_flags) return true;
  return !terms_.itemizes();
}

void Generator::say_uptodate(const Spot& spot, bool updated, std::string_view mark) const {
  if (tells_uptodate())
    terms_.reporter.client_text(fmt::format("{}{}{}\n", spot.path, mark, updated ? "" : " is uptodate"));
}

}  // namespace ocsync::sync
