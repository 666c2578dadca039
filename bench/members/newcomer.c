// A new process: from the moment before it executes this program to that in which it finds itself in the cgroup that it belongs in. Prints nanoseconds; 0 when that has not come after 5 s.
// `launch PROGRAM NEEDLE` executes `PROGRAM NEEDLE NOW`.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv) {
  char text[8192];
  if (argc < 3) return 2;
  if (strstr(argv[0], "launch")) {
    char begin[32];
    snprintf(begin, sizeof begin, "%lld", now());
    execl(argv[1], argv[1], argv[2], begin, NULL);
    return 3;
  }
  long long begin = atoll(argv[2]);
  for (;;) {
    int file = open("/proc/self/cgroup", O_RDONLY);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    long long passed = now() - begin;
    if (strstr(text, argv[1])) return printf("%lld\n", passed) < 0;
    if (passed > 5000000000LL) return printf("0\n") < 0;
    usleep(100);
  }
}
