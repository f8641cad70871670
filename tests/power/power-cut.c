/* Takes from a folder what a power cut would have taken: see shim.c.
 *
 *   power-cut DIR STATE [SEED]
 *
 * Run it when no process uses DIR. Prints what was lost; STATE begins anew. With a SEED a random
 * part of what was not synced survives, without one nothing of it does. Exits with 1 and a reason
 * if it could not do that.
 */
#include "power.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *state;
static struct slot *table;
static uint64_t seed, files_cut, bytes_cut;

static void fail(const char *what) {
  fprintf(stderr, "power-cut: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void in_state(char *path, const char *name) { snprintf(path, PATH_MAX, "%s/%s", state, name); }

/* Up to `most`, the same for the same seed and name (FNV-1a, then a mix). Nothing without a seed. */
static uint64_t chance(const char *name, uint64_t most) {
  if (!seed) return 0;
  uint64_t hash = 0xcbf29ce484222325ull ^ seed;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
  hash = (hash ^ hash >> 31) * 0x9E3779B97F4A7C15ull;
  return (hash ^ hash >> 29) % (most + 1);
}

/* --- names ------------------------------------------------------------------------------------ */

/* One line of ops, its fields cut apart. */
struct change {
  long offset;
  char *field[5];
  bool durable;
};
static struct change *changes;
static size_t count;

static void read_changes(void) {
  char path[PATH_MAX];
  in_state(path, "ops");
  FILE *ops = fopen(path, "r");
  if (!ops) return; /* nothing ever ran under the shim */
  char *line = NULL;
  size_t room = 0;
  for (long offset = 0; getline(&line, &room, ops) > 0 && strchr(line, '\n'); offset = ftell(ops)) {
    changes = realloc(changes, (count + 1) * sizeof *changes);
    struct change *change = &changes[count++];
    *change = (struct change){.offset = offset};
    char *rest = strdup(line), *field;
    rest[strcspn(rest, "\n")] = 0;
    for (int at = 0; at < 5 && (field = strsep(&rest, "\t")); at++) change->field[at] = field;
  }
  free(line);
  fclose(ops);
}

/* The name that a change is about: whose directory must be synced for it to last. */
static const char *subject(const struct change *change) {
  return *change->field[0] == 'C' ? change->field[1] : *change->field[0] == 'R' ? change->field[3] : change->field[2];
}

static bool is_in(const char *path, const char *dir) {
  size_t length = strlen(dir);
  return !strncmp(path, dir, length) && path[length] == '/' && !strchr(path + length + 1, '/');
}

/* Marks what a sync of its directory made durable. Newest first, so that each directory's last sync
 * is met before the changes that it covers. */
static void mark_durable(void) {
  struct change **syncs = calloc(count + 1, sizeof *syncs);
  size_t known = 0;
  for (size_t at = count; at--;) {
    struct change *change = &changes[at];
    bool sync = *change->field[0] == 'S', seen = false;
    for (size_t i = 0; i < known && !seen; i++)
      seen = sync ? !strcmp(syncs[i]->field[2], change->field[2]) && atol(syncs[i]->field[1]) >= atol(change->field[1])
                  : is_in(subject(change), syncs[i]->field[2]) && atol(syncs[i]->field[1]) > change->offset;
    change->durable = sync || seen;
    if (sync && !seen) syncs[known++] = change;
  }
  free(syncs);
}

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *level) {
  (void)file, (void)type, (void)level;
  return remove(path);
}

static bool is_inode(const char *path, const char *inode) {
  struct stat file;
  return !lstat(path, &file) && file.st_ino == strtoull(inode, NULL, 10);
}

static void bring_back(const char *grave, const char *path) {
  if (strcmp(grave, "-") && link(grave, path) && errno != EEXIST && errno != ENOENT) fail(path);
}

/* Undoes a change; leaves alone what the kill came before. */
static void undo(const struct change *change) {
  char *const *field = change->field;
  switch (*field[0]) {
  case 'C': nftw(field[1], remove_one, 16, FTW_DEPTH | FTW_PHYS); break;
  case 'U':
    if (!strcmp(field[3], "-")) mkdir(field[2], 0755);
    else bring_back(field[3], field[2]);
    break;
  case 'R':
    if (!is_inode(field[3], field[1])) break;
    if (rename(field[3], field[2])) fail(field[3]);
    bring_back(field[4], field[3]);
    break;
  }
}

/* A journal lasts up to some point: what is undone is the newest. */
static size_t undo_names(void) {
  size_t fleeting = 0, undone = 0;
  for (size_t at = 0; at < count; at++) fleeting += !changes[at].durable;
  size_t lost = fleeting - chance("names", fleeting);
  for (size_t at = count; at-- && undone < lost;)
    if (!changes[at].durable) undo(&changes[at]), undone++;
  return undone;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void map_table(void) {
  char path[PATH_MAX];
  in_state(path, "table");
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, SLOTS * sizeof(struct slot))) fail(path);
  table = mmap(NULL, SLOTS * sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (table == MAP_FAILED) fail(path);
  close(fd);
}

static int cut_one(const char *path, const struct stat *file, int type, struct FTW *level) {
  (void)level;
  if (type != FTW_F || !S_ISREG(file->st_mode)) return 0;
  uint32_t at = slot_of(file->st_ino);
  while (table[at].inode && (table[at].inode != file->st_ino || table[at].device != file->st_dev)) at = (at + 1) % SLOTS;
  uint64_t size = file->st_size, synced = table[at].synced;
  if (!table[at].inode || synced >= size) return 0;
  uint64_t left = synced + chance(path, size - synced);
  if (left == size) return 0;
  if (truncate(path, left)) fail(path);
  files_cut++, bytes_cut += size - left;
  return 0;
}

/* --- the state begins anew -------------------------------------------------------------------- */

static void forget(void) {
  char path[PATH_MAX];
  memset(table, 0, SLOTS * sizeof(struct slot));
  in_state(path, "ops");
  unlink(path);
  DIR *folder = opendir(state);
  if (!folder) fail(state);
  for (struct dirent *entry; (entry = readdir(folder));) {
    in_state(path, entry->d_name);
    if (!strncmp(entry->d_name, "g.", 2)) unlink(path);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 4) return fprintf(stderr, "usage: power-cut DIR STATE [SEED]\n"), 1;
  state = argv[2];
  seed = argc == 4 ? strtoull(argv[3], NULL, 10) + 1 : 0; /* seed 0 is a seed too */
  map_table();
  read_changes();
  mark_durable();
  size_t undone = undo_names();
  if (nftw(argv[1], cut_one, 16, FTW_PHYS)) fail(argv[1]);
  forget();
  printf("power-cut: %zu changes of names undone, %llu files cut by %llu bytes\n", undone,
         (unsigned long long)files_cut, (unsigned long long)bytes_cut);
  return 0;
}
