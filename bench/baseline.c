/*
 * Knows the least that the kernel asks for: the same cgroups made, written and read with nothing around the system
 * calls; and how to time any command from fork to exit without a JavaScript engine in between.
 *
 *   baseline run RESULT COMMAND ARGS...   time a command; "wall_us user_us system_us max_rss_kb status" goes to RESULT
 *   baseline apply PLAN                   carry out a plan: H directory (made, and the base of what follows), D name, F name value
 *   baseline audit LIST KEEP              each line on stdin: read every file of the list once, answer the nanoseconds;
 *                                         the first KEEP files stay open and are read with pread, the others are opened each time
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *text;
static char buffer[65536];

static void fail(const char *what)
{
	fprintf(stderr, "baseline: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The whole file, cut into lines in place. */
static char *lines(const char *file)
{
	struct stat stat;
	int fd = open(file, O_RDONLY);
	if (fd < 0 || fstat(fd, &stat) < 0) fail(file);
	text = malloc(stat.st_size + 1);
	if (read(fd, text, stat.st_size) != stat.st_size) fail(file);
	text[stat.st_size] = 0;
	close(fd);
	return text;
}

static int run(int count, char **words)
{
	struct rusage usage;
	int status;
	long long start = now();
	pid_t pid = fork();
	if (pid < 0) fail("fork");
	if (pid == 0) {
		execvp(words[1], words + 1);
		fail(words[1]);
	}
	if (wait4(pid, &status, 0, &usage) < 0) fail("wait4");
	long long wall = now() - start;
	FILE *result = fopen(words[0], "w");
	if (!result) fail(words[0]);
	fprintf(result, "%lld %lld %lld %ld %d\n", wall / 1000, usage.ru_utime.tv_sec * 1000000LL + usage.ru_utime.tv_usec,
		usage.ru_stime.tv_sec * 1000000LL + usage.ru_stime.tv_usec, usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fclose(result);
	(void)count;
	return 0;
}

static int apply(const char *plan)
{
	int base = AT_FDCWD;
	char *rest = lines(plan);
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (line[0] == 'H') {
			if (mkdir(line + 2, 0755) < 0 && errno != EEXIST) fail(line);
			if (base != AT_FDCWD) close(base);
			base = open(line + 2, O_RDONLY | O_DIRECTORY);
			if (base < 0) fail(line);
		} else if (line[0] == 'D') {
			if (mkdirat(base, line + 2, 0755) < 0 && errno != EEXIST) fail(line);
		} else if (line[0] == 'F') {
			char *value = line + 2;
			char *name = strsep(&value, " ");
			size_t length = strlen(value);
			int fd = openat(base, name, O_WRONLY);
			if (fd < 0 || write(fd, value, length) != (ssize_t)length) fail(name);
			close(fd);
		}
	}
	return 0;
}

static int audit(const char *list, int keep)
{
	struct rlimit files;
	char command[64];
	int count = 0, capacity = 1024;
	char **names = malloc(capacity * sizeof *names);
	char *rest = lines(list);
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (!*line) continue;
		if (count == capacity) names = realloc(names, (capacity *= 2) * sizeof *names);
		names[count++] = line;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (keep > count) keep = count;
	int *kept = malloc((keep + 1) * sizeof *kept);
	for (int i = 0; i < keep; i++) {
		kept[i] = open(names[i], O_RDONLY);
		if (kept[i] < 0) fail(names[i]);
	}
	while (fgets(command, sizeof command, stdin)) {
		long long bytes = 0, start = now();
		for (int i = 0; i < keep; i++) {
			ssize_t length = pread(kept[i], buffer, sizeof buffer, 0);
			if (length < 0) fail(names[i]);
			bytes += length;
		}
		for (int i = keep; i < count; i++) {
			int fd = open(names[i], O_RDONLY);
			ssize_t length = fd < 0 ? -1 : read(fd, buffer, sizeof buffer);
			if (length < 0) fail(names[i]);
			bytes += length;
			close(fd);
		}
		printf("%lld %lld\n", now() - start, bytes);
		fflush(stdout);
	}
	return 0;
}

int main(int count, char **words)
{
	if (count > 3 && !strcmp(words[1], "run")) return run(count - 2, words + 2);
	if (count == 3 && !strcmp(words[1], "apply")) return apply(words[2]);
	if (count == 4 && !strcmp(words[1], "audit")) return audit(words[2], atoi(words[3]));
	fprintf(stderr, "usage: baseline run RESULT COMMAND... | apply PLAN | audit LIST KEEP\n");
	return 2;
}
