// The rules that are more than a number.
#include "libio/os/io_strategy.h"

#include <sys/utsname.h>

#include <cstdio>

namespace ocsync::io::strategy {

bool kernel_copy_pays(uint64_t file_system_kind) {
  switch (file_system_kind) {
    case 0x6969:      // NFS: server-side copy since 4.2
    case 0x517B:      // SMB
    case 0xFF534D42:  // CIFS
    case 0xFE534D42:  // SMB2
    case 0x00C36400:  // Ceph
      return true;
    default:
      return false;
  }
}

namespace {

// Major and minor number of the running kernel as one number; 0 if it does not say.
int kernel_version() {
  utsname name;
  int major = 0;
  int minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return 0;
  return major * 1000 + minor;
}

}  // namespace

bool mapped_scan_pays(uint64_t file_system_kind) {
  static const int version = kernel_version();
  switch (file_system_kind) {
    case 0xEF53:
      return version >= 6'016;  // ext4 has large folios since 6.16
    case 0x58465342:
      return version >= 6'000;  // xfs since 5.18
    default:
      return false;
  }
}

}  // namespace ocsync::io::strategy
