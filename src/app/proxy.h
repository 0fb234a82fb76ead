/* The running program: builds the rooms from the settings, runs them on one loop, takes new
 * settings in, and ends everything in order. */
#pragma once

/* Runs until SIGTERM or SIGINT; SIGHUP reads the file anew. The exit status. */
int proxy_run(const char *path);
