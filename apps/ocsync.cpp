// argv in, exit code out. Also answers to the name "rsync".
#include <clocale>
#include <cstdio>
#include <new>

#include "libsync/report/exit_code.h"
#include "libsync/session/command_line.h"

int main(int argc, char** argv) try {
  std::setlocale(LC_CTYPE, "");
  std::setlocale(LC_NUMERIC, "");
  return ocsync::sync::run_command_line({argv, static_cast<size_t>(argc)});
} catch (const std::bad_alloc&) {
  std::fputs("rsync: out of memory\nrsync error: error allocating core memory buffers (code 22)\n", stderr);
  return ocsync::sync::kExitMemory;
}
