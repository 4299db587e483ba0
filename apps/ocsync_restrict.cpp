// The forced command of a restricted ssh key; see man/ocsync-restrict.1.
#include <clocale>
#include <cstdio>
#include <new>

#include "libsync/report/exit_code.h"
#include "libsync/restrict/run.h"

int main(int argc, char** argv) try {
  std::setlocale(LC_CTYPE, "");
  std::setlocale(LC_NUMERIC, "");
  return ocsync::sync::run_restricted({argv, argv + argc});
} catch (const std::bad_alloc&) {
  std::fputs("ocsync-restrict: out of memory\n", stderr);
  return ocsync::sync::kExitMemory;
}
