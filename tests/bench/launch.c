// Runs one program with standard output at /dev/null and writes what it cost: wall, user and system microseconds, the
// resident KiB of its largest process, exit code. A program of its own because what it starts inherits the memory mark
// of whoever starts it, and an interpreter's is higher than that of what is measured.
//
//     launch REPORT PROGRAM ARGUMENT...
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char** argv) {
  if (argc < 3) return 125;
  const long long start = now_us();
  const pid_t pid = fork();
  if (pid < 0) return 125;
  if (pid == 0) {
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    close(null);
    execvp(argv[2], argv + 2);
    _exit(127);
  }
  int status;
  struct rusage used;
  if (wait4(pid, &status, 0, &used) < 0) return 125;
  const long long wall = now_us() - start;
  FILE* report = fopen(argv[1], "w");
  if (!report) return 125;
  fprintf(report, "%lld %lld %lld %ld %d\n", wall, used.ru_utime.tv_sec * 1000000LL + used.ru_utime.tv_usec,
          used.ru_stime.tv_sec * 1000000LL + used.ru_stime.tv_usec, used.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return fclose(report) == 0 ? 0 : 125;
}
