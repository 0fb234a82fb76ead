/* What the kernel says of this process. */
#pragma once

#include <stdint.h>

struct process_figures {
    double cpu_seconds;      /* user and system */
    uint64_t resident_bytes; /* 0 where /proc is not there */
    unsigned open_fds;       /* 0 where /proc is not there */
    uint64_t max_fds;
};
void process_figures(struct process_figures *figures);
