/* Asks the kernel; keeps nothing. */
#include "stats/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static uint64_t resident(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;

    if (!statm)
        return 0;
    if (fscanf(statm, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    if (!dir)
        return 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* the one that was just looked through */
}

void process_figures(struct process_figures *figures)
{
    struct rusage usage;
    struct rlimit limit;

    memset(figures, 0, sizeof(*figures));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        figures->cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        figures->max_fds = limit.rlim_cur;
    figures->resident_bytes = resident();
    figures->open_fds = descriptors();
}
