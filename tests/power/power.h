/* What the shim (shim.c) records and the tool (power-cut.c) reads: the layout of the state folder.
 *
 *   STATE/table   struct slot[SLOTS], memory-mapped: how long each file is on the simulated disk
 *   STATE/ops     changes of directories, one line each, in order
 *   STATE/g.*     hard links to files that a rename or unlink took away and that may come back
 *
 * The shim writes into the page cache, which outlives the killed process: kill -9 loses nothing of
 * the state. Lines of ops, with tabs between the fields:
 *
 *   C path            a file, directory or link was created
 *   R inode old new grave   old was renamed to new; grave holds what new was, "-" if it was nothing
 *   U inode path grave      path was removed; grave holds the file, "-" for a directory
 *   S offset dir      dir is durable as it was when ops was offset bytes long
 */
#define _GNU_SOURCE
#include <stdint.h>

enum { SLOTS = 1 << 16 }; /* 1.5 MiB; more files than this at a time stop the program */

/* One file. Free while inode is 0. */
struct slot {
  uint64_t device;
  uint64_t inode;
  uint64_t synced; /* bytes from the start that survive a power cut */
};

/* Where the search for an inode begins. */
static inline uint32_t slot_of(uint64_t inode) {
  return (uint32_t)((inode * 0x9E3779B97F4A7C15ull) >> 48) % SLOTS;
}
