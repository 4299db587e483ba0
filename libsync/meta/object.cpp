#include "libsync/meta/object.h"

namespace ocsync::sync {

Result<io::FileInfo> Object::info() const {
  if (file) return file->info();
  return leaf ? dir->info(*leaf) : dir->self();
}
Status Object::set_mode(uint32_t permissions) const {
  if (file) return file->set_mode(permissions);
  return leaf ? dir->set_mode(*leaf, permissions) : dir->set_self_mode(permissions);
}
Status Object::set_owner(uint32_t uid, uint32_t gid) const {
  if (file) return file->set_owner(uid, gid);
  return leaf ? dir->set_owner(*leaf, uid, gid) : dir->set_self_owner(uid, gid);
}
Status Object::set_times(std::optional<io::FileTime> atime, io::FileTime mtime) const {
  if (file) return file->set_times(atime, mtime);
  return leaf ? dir->set_times(*leaf, atime, mtime) : dir->set_self_times(atime, mtime);
}
io::Xattrs Object::xattrs() const {
  if (file) return io::Xattrs(*file);
  return leaf ? io::Xattrs(*dir, *leaf) : io::Xattrs(*dir);
}

}  // namespace ocsync::sync
