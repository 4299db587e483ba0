// The rules that are more than a number.
#include "libio/os/io_strategy.h"

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

}  // namespace ocsync::io::strategy
