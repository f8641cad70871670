/* A disk whose power can be cut, for any dynamically linked program.
 *
 * kill -9 does not test fsync: what a killed process wrote stays in the page cache and is read back
 * as if it had been synced. This library, loaded by LD_PRELOAD, notes which bytes and which names a
 * program has made durable; after a kill, the tool power-cut takes away the rest.
 *
 *   SHIM=$(scripts/power-shim)                      builds both, prints the library's path
 *   mkdir data state                                both must exist, on one file system, neither in the other
 *   LD_PRELOAD=$SHIM KVS_POWER_DIR=data KVS_POWER_STATE=state program & ... kill -9
 *   $(dirname $SHIM)/power-cut data state [SEED]    data is now what the disk held; state begins anew
 *
 * In a Rust test: run scripts/power-shim once for the path, set the three variables on the Command
 * of the node, kill() it, run power-cut, start it again in the same way. Without power-cut between
 * them, a second run goes on with the state of the first, as after a mere kill.
 *
 * Simulated:
 * - A file keeps the bytes that it had when an fsync or fdatasync that succeeded was called, or that
 *   were written through O_SYNC or O_DSYNC (or RWF_SYNC, RWF_DSYNC). Nothing else makes bytes
 *   durable: not close, sync_file_range, msync, sync or syncfs.
 * - Truncating is at once durable, O_TRUNC too: the worst case, in which an overwritten file is empty.
 * - A name (create, mkdir, link, symlink, rename, unlink, rmdir) is durable once its directory was
 *   opened and fsynced after the change. Otherwise it is undone, newest first: what was created is
 *   gone, with all below it, what was renamed has its old name back, what was replaced or removed is
 *   back. For a rename between directories, that of the new name counts.
 * - Files that were there before the first open under the shim are durable as they were.
 * With a SEED, power-cut leaves a random part of what was not synced, as a disk may: of each file's
 * bytes some more from the start, of the changes of names the oldest.
 * Removed files are kept in the state folder until power-cut, and take space there.
 *
 * Not simulated: overwriting bytes within the synced length (durable at once; what is replaced by
 * rename is simulated, and a log that only grows); reordering of unsynced pages; writes through
 * mmap beyond what a later fsync covers; mkstemp; programs that call the kernel without libc
 * (static binaries, the rustix crate as it comes): what is not seen counts as durable.
 */
#include "power.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The function that the shim stands before, looked up once. */
#define REAL(name)                                                                                 \
  static __typeof__(name) *real;                                                                   \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static char dir[PATH_MAX];   /* what is watched, canonical, without a slash at the end; "" if nothing */
static char state[PATH_MAX]; /* the state folder */
static struct slot *table;
static uint32_t used; /* slots that are not free */
static int ops = -1;
/* Orders changes of names and of the table. Syncing and writing data take no lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t graves;
enum { GRAVE = PATH_MAX + 64 }; /* room for the name of a file in the state folder */
/* Descriptors that sync as they write. */
enum { DESCRIPTORS = 1 << 16 };
static unsigned char writes_through[DESCRIPTORS];

static void fail(const char *what) {
  dprintf(2, "power shim: %s: %s\n", what, strerror(errno));
  _exit(99);
}

__attribute__((constructor)) static void start(void) {
  const char *watched = getenv("KVS_POWER_DIR"), *kept = getenv("KVS_POWER_STATE");
  if (!watched || !kept) return;
  char path[PATH_MAX + 16];
  if (!realpath(kept, state)) fail(kept);
  snprintf(path, sizeof path, "%s/table", state);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, SLOTS * sizeof(struct slot))) fail(path);
  table = mmap(NULL, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (table == MAP_FAILED) fail(path);
  close(fd);
  for (uint32_t at = 0; at < SLOTS; at++) used += table[at].inode != 0;
  snprintf(path, sizeof path, "%s/ops", state);
  ops = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (ops < 0) fail(path);
  if (!realpath(watched, dir)) fail(watched); /* last: from here on calls are watched */
}

/* --- paths ------------------------------------------------------------------------------------ */

static bool is_below(const char *path) {
  size_t length = strlen(dir);
  return length && !strncmp(path, dir, length) && path[length] == '/';
}

/* The canonical form of a path whose last part need not exist. False if it is not watched. */
static bool watched_path(int at, const char *path, char *out) {
  char whole[2 * PATH_MAX], from[PATH_MAX] = "", link[32];
  if (!*dir || !path || !*path) return false;
  if (*path != '/' && at == AT_FDCWD) {
    if (!getcwd(from, sizeof from)) return false;
  } else if (*path != '/') {
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, from, sizeof from - 1);
    if (length < 0) return false;
    from[length] = 0;
  }
  snprintf(whole, sizeof whole, "%s/%s", from, path);
  for (size_t end = strlen(whole); end > 1 && whole[end - 1] == '/';) whole[--end] = 0;
  char *last = strrchr(whole, '/'), name[NAME_MAX + 1];
  if (strlen(last + 1) > NAME_MAX || !strcmp(last + 1, "..")) return false;
  strcpy(name, last + 1);
  *last = 0;
  char parent[PATH_MAX];
  if (!realpath(*whole ? whole : "/", parent)) return false;
  if (!strcmp(name, ".")) return strcpy(out, parent), is_below(out);
  if (strlen(parent) + strlen(name) + 2 > PATH_MAX) return false;
  strcat(strcat(strcpy(out, parent), "/"), name);
  return is_below(out);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* The slot of a file, or NULL if it was never opened for writing in the watched directory. */
static struct slot *find(const struct stat *file) {
  for (uint32_t at = slot_of(file->st_ino);; at = (at + 1) % SLOTS) {
    if (!table[at].inode) return NULL;
    if (table[at].inode == file->st_ino && table[at].device == file->st_dev) return &table[at];
  }
}

/* As find, adding the file with `synced` bytes if it is new. Under the lock. */
static struct slot *add(const struct stat *file, uint64_t synced) {
  struct slot *slot = find(file);
  if (slot) return slot;
  if (++used > SLOTS - SLOTS / 8) errno = ENFILE, fail("too many files");
  uint32_t at = slot_of(file->st_ino);
  while (table[at].inode) at = (at + 1) % SLOTS;
  table[at].device = file->st_dev;
  table[at].synced = synced;
  atomic_thread_fence(memory_order_release);
  table[at].inode = file->st_ino;
  return &table[at];
}

/* Two syncs may end in either order: the longer one holds. */
static void keep(struct slot *slot, uint64_t length) {
  _Atomic uint64_t *synced = (_Atomic uint64_t *)&slot->synced;
  uint64_t was = atomic_load(synced);
  while (was < length && !atomic_compare_exchange_weak(synced, &was, length)) {}
}

static void cut(struct slot *slot, uint64_t length) {
  if (slot->synced > length) slot->synced = length;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Appends a line to ops, before the change it tells of: a change that the kill prevented is
 * recognized and left alone by power-cut, one that is not told of could not be undone. */
static void tell(const char *format, ...) {
  char line[4 * PATH_MAX];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (length >= (int)sizeof line || write(ops, line, length) != length) fail("cannot write ops");
}

static bool exists(const char *path, struct stat *file) { return !lstat(path, file); }

/* Gives a file that is about to lose its name another one, so that it can come back. */
static void bury(const char *path, char *grave) {
  do snprintf(grave, GRAVE, "%s/g.%d.%llu", state, getpid(), (unsigned long long)graves++);
  while (linkat(AT_FDCWD, path, AT_FDCWD, grave, 0) && errno == EEXIST);
  struct stat buried;
  if (lstat(grave, &buried)) fail("cannot keep a removed file (is the state on the same file system?)");
}

/* Before a name comes to be. */
static void tell_created(const char *path) {
  struct stat file;
  if (!exists(path, &file)) tell("C\t%s\n", path);
}

static void tell_removed(const char *path) {
  struct stat file;
  char grave[GRAVE] = "-";
  if (!exists(path, &file)) return;
  if (!S_ISDIR(file.st_mode)) bury(path, grave);
  tell("U\t%llu\t%s\t%s\n", (unsigned long long)file.st_ino, path, grave);
}

static void tell_renamed(const char *old, const char *new) {
  struct stat file, replaced;
  char grave[GRAVE] = "-";
  if (!exists(old, &file)) return;
  if (exists(new, &replaced)) {
    if (replaced.st_ino == file.st_ino) return;
    if (!S_ISDIR(replaced.st_mode)) bury(new, grave);
  }
  tell("R\t%llu\t%s\t%s\t%s\n", (unsigned long long)file.st_ino, old, new, grave);
}

/* --- what programs call: syncing and writing ---------------------------------------------------- */

/* Under the lock, so that no change that was told of is still to be made. */
static off_t length_of_ops(void) {
  pthread_mutex_lock(&lock);
  off_t length = lseek(ops, 0, SEEK_END);
  pthread_mutex_unlock(&lock);
  return length;
}

/* Runs `sync` and, if it succeeds, notes as durable what the file or directory was before it. */
static int synced(int fd, int (*sync)(int)) {
  struct stat file;
  if (!*dir || fstat(fd, &file)) return sync(fd);
  off_t told = S_ISDIR(file.st_mode) ? length_of_ops() : 0;
  int result = sync(fd);
  if (result) return result;
  int saved = errno;
  struct slot *slot = S_ISREG(file.st_mode) ? find(&file) : NULL;
  if (slot) keep(slot, file.st_size);
  if (S_ISDIR(file.st_mode)) {
    char link[32], path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) > 0 && (is_below(path) || !strcmp(path, dir)))
      tell("S\t%lld\t%s\n", (long long)told, path);
  }
  errno = saved;
  return result;
}

int fsync(int fd) {
  REAL(fsync);
  return synced(fd, real);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  return synced(fd, real);
}

/* After a write: through a descriptor that syncs as it writes, what is there now is durable. */
static ssize_t wrote(int fd, bool through, ssize_t result) {
  if (result <= 0 || !*dir || !through) return result;
  int saved = errno;
  struct stat file;
  struct slot *slot = fstat(fd, &file) ? NULL : find(&file);
  if (slot) keep(slot, file.st_size);
  errno = saved;
  return result;
}

static bool through(int fd) { return fd >= 0 && fd < DESCRIPTORS && writes_through[fd]; }

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(write);
  return wrote(fd, through(fd), real(fd, bytes, count));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  return wrote(fd, through(fd), real(fd, parts, count));
}

#define POSITIONED(name, offset_type)                                                              \
  ssize_t name(int fd, const void *bytes, size_t count, offset_type at) {                          \
    REAL(name);                                                                                    \
    return wrote(fd, through(fd), real(fd, bytes, count, at));                                     \
  }
POSITIONED(pwrite, off_t)
POSITIONED(pwrite64, off64_t)

#define POSITIONED_PARTS(name, offset_type)                                                        \
  ssize_t name(int fd, const struct iovec *parts, int count, offset_type at) {                     \
    REAL(name);                                                                                    \
    return wrote(fd, through(fd), real(fd, parts, count, at));                                     \
  }
POSITIONED_PARTS(pwritev, off_t)
POSITIONED_PARTS(pwritev64, off64_t)

#define POSITIONED_FLAGS(name, offset_type)                                                        \
  ssize_t name(int fd, const struct iovec *parts, int count, offset_type at, int flags) {          \
    REAL(name);                                                                                    \
    bool syncs = through(fd) || (flags & (RWF_SYNC | RWF_DSYNC));                                  \
    return wrote(fd, syncs, real(fd, parts, count, at, flags));                                    \
  }
POSITIONED_FLAGS(pwritev2, off_t)
POSITIONED_FLAGS(pwritev64v2, off64_t)

/* --- what programs call: opening and truncating -------------------------------------------------- */

/* Notes a file that was opened for writing. `created` says that it was not there before. */
static void opened(int fd, int flags, bool created) {
  struct stat file;
  if (fd < DESCRIPTORS) writes_through[fd] = (flags & O_DSYNC) != 0; /* O_SYNC holds O_DSYNC */
  if (fstat(fd, &file) || !S_ISREG(file.st_mode)) return;
  struct slot *slot = add(&file, file.st_size);
  if (created || (flags & O_TRUNC)) slot->synced = 0; /* created: the inode may have been another's */
}

/* Wraps an open whose real function is called by CALL with `mode`. */
#define OPEN(CALL)                                                                                 \
  mode_t mode = 0;                                                                                 \
  if (flags & (O_CREAT | __O_TMPFILE)) {                                                           \
    va_list args;                                                                                  \
    va_start(args, flags);                                                                         \
    mode = va_arg(args, mode_t);                                                                   \
    va_end(args);                                                                                  \
  }                                                                                                \
  char whole[PATH_MAX];                                                                            \
  bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));                  \
  if (!*dir || !writes || !watched_path(at, path, whole)) return CALL;                             \
  pthread_mutex_lock(&lock);                                                                       \
  struct stat before;                                                                              \
  bool creates = (flags & O_CREAT) && !exists(whole, &before);                                     \
  if (creates) tell_created(whole);                                                                \
  int fd = CALL, saved = errno;                                                                    \
  if (fd >= 0) opened(fd, flags, creates);                                                         \
  pthread_mutex_unlock(&lock);                                                                     \
  errno = saved;                                                                                   \
  return fd

#define OPEN_PATH(name)                                                                            \
  int name(const char *path, int flags, ...) {                                                     \
    REAL(name);                                                                                    \
    const int at = AT_FDCWD;                                                                       \
    OPEN(real(path, flags, mode));                                                                 \
  }
OPEN_PATH(open)
OPEN_PATH(open64)

#define OPEN_AT(name)                                                                              \
  int name(int at, const char *path, int flags, ...) {                                             \
    REAL(name);                                                                                    \
    OPEN(real(at, path, flags, mode));                                                             \
  }
OPEN_AT(openat)
OPEN_AT(openat64)

int creat(const char *path, mode_t mode) { return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open64(path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* glibc's checked forms, for calls without O_CREAT. */
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open64(path, flags); }
int __openat_2(int at, const char *path, int flags) { return openat(at, path, flags); }
int __openat64_2(int at, const char *path, int flags) { return openat64(at, path, flags); }

/* glibc's stdio does not call open through a name that could be replaced: open here instead. */
static FILE *opened_stream(const char *path, const char *mode) {
  int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
  flags |= *mode == 'w' ? O_CREAT | O_TRUNC : *mode == 'a' ? O_CREAT | O_APPEND : 0;
  flags |= strchr(mode, 'x') ? O_EXCL : 0;
  flags |= strchr(mode, 'e') ? O_CLOEXEC : 0;
  int fd = open(path, flags, 0666);
  FILE *stream = fd < 0 ? NULL : fdopen(fd, mode);
  if (fd >= 0 && !stream) close(fd);
  return stream;
}
FILE *fopen(const char *path, const char *mode) { return opened_stream(path, mode); }
FILE *fopen64(const char *path, const char *mode) { return opened_stream(path, mode); }

/* Notes that a file lost its end. */
static int truncated(int result, int fd, const char *path, uint64_t length) {
  struct stat file;
  int saved = errno;
  if (!result && *dir && !(path ? stat(path, &file) : fstat(fd, &file))) {
    struct slot *slot = find(&file);
    if (slot) cut(slot, length);
  }
  errno = saved;
  return result;
}

#define FTRUNCATE(name, offset_type)                                                               \
  int name(int fd, offset_type length) {                                                           \
    REAL(name);                                                                                    \
    return truncated(real(fd, length), fd, NULL, length);                                          \
  }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

#define TRUNCATE(name, offset_type)                                                                \
  int name(const char *path, offset_type length) {                                                 \
    REAL(name);                                                                                    \
    return truncated(real(path, length), -1, path, length);                                        \
  }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)

/* --- what programs call: names ------------------------------------------------------------------- */

/* TELL and CALL as one step, if the path is watched. */
#define NAMED(AT, PATH, TELL, CALL)                                                                \
  char whole[PATH_MAX];                                                                            \
  if (!watched_path(AT, PATH, whole)) return CALL;                                                 \
  pthread_mutex_lock(&lock);                                                                       \
  TELL(whole);                                                                                     \
  int result = CALL, saved = errno;                                                                \
  pthread_mutex_unlock(&lock);                                                                     \
  errno = saved;                                                                                   \
  return result

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  NAMED(AT_FDCWD, path, tell_created, real(path, mode));
}
int mkdirat(int at, const char *path, mode_t mode) {
  REAL(mkdirat);
  NAMED(at, path, tell_created, real(at, path, mode));
}
int symlink(const char *to, const char *path) {
  REAL(symlink);
  NAMED(AT_FDCWD, path, tell_created, real(to, path));
}
int symlinkat(const char *to, int at, const char *path) {
  REAL(symlinkat);
  NAMED(at, path, tell_created, real(to, at, path));
}
int link(const char *old, const char *new) {
  REAL(link);
  NAMED(AT_FDCWD, new, tell_created, real(old, new));
}
/* bury() links into the state folder, which is not watched, and so passes through here. */
int linkat(int old_at, const char *old, int at, const char *new, int flags) {
  REAL(linkat);
  NAMED(at, new, tell_created, real(old_at, old, at, new, flags));
}
int unlink(const char *path) {
  REAL(unlink);
  NAMED(AT_FDCWD, path, tell_removed, real(path));
}
int unlinkat(int at, const char *path, int flags) {
  REAL(unlinkat);
  NAMED(at, path, tell_removed, real(at, path, flags));
}
int rmdir(const char *path) {
  REAL(rmdir);
  NAMED(AT_FDCWD, path, tell_removed, real(path));
}
int remove(const char *path) {
  REAL(remove);
  NAMED(AT_FDCWD, path, tell_removed, real(path));
}

/* A rename is told when either end is watched. */
#define RENAME(OLD_AT, NEW_AT, CALL)                                                               \
  char from[PATH_MAX], to[PATH_MAX];                                                               \
  bool is_from = watched_path(OLD_AT, old, from), is_to = watched_path(NEW_AT, new, to);           \
  if (!is_from && !is_to) return CALL;                                                             \
  if (!is_from || !is_to) errno = EXDEV, fail("a rename into or out of the watched folder");       \
  pthread_mutex_lock(&lock);                                                                       \
  tell_renamed(from, to);                                                                          \
  int result = CALL, saved = errno;                                                                \
  pthread_mutex_unlock(&lock);                                                                     \
  errno = saved;                                                                                   \
  return result

int rename(const char *old, const char *new) {
  REAL(rename);
  RENAME(AT_FDCWD, AT_FDCWD, real(old, new));
}
int renameat(int old_at, const char *old, int new_at, const char *new) {
  REAL(renameat);
  RENAME(old_at, new_at, real(old_at, old, new_at, new));
}
int renameat2(int old_at, const char *old, int new_at, const char *new, unsigned flags) {
  REAL(renameat2);
  if (flags & RENAME_EXCHANGE) errno = ENOSYS, fail("an exchanging rename");
  RENAME(old_at, new_at, real(old_at, old, new_at, new, flags));
}
