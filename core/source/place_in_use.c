/* Who uses a volume, without asking an engine: a container has its own mount namespace,
 * and in it a mount of the volume's file system whose root is the volume, or lies in it.
 * What a mount is of is the third and fourth field of /proc/PID/mountinfo, whatever names
 * lead there.
 *
 * A service that systemd sandboxes has a namespace, too, with copies of the host's
 * mounts: what our own namespace has at the same place, under the same root, is not a
 * use. */
#include "source/place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/scope.h"

enum { LINE = 3 * PATH_MAX, SEEN_MAX = 512 };

struct mount {
	unsigned long long id;
	unsigned int major, minor;
	char root[PATH_MAX], point[PATH_MAX];
};

/* What is looked for. */
struct wanted {
	struct mount
		at; /* root: PATH within its file system; point: as in our namespace */
	char home[PATH_MAX]; /* root of our "/", with its device before it */
	ino_t seen[SEEN_MAX];
	size_t n_seen;
	bool partial; /* a process could not be looked at */
};

/* Mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; out++) {
		if (s[0] == '\\' && s[1] && s[2] && s[3]) {
			*out = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				      (s[3] - '0'));
			s += 4;
		} else {
			*out = *s++;
		}
	}
	*out = '\0';
}

static bool read_mount(FILE *f, char *line, struct mount *out)
{
	while (fgets(line, LINE, f)) {
		if (sscanf(line, "%llu %*u %u:%u %4095s %4095s", &out->id, &out->major,
			   &out->minor, out->root, out->point) != 5)
			continue;
		unescape(out->root);
		unescape(out->point);
		return true;
	}
	return false;
}

static void home_of(const struct mount *m, char *out)
{
	(void)snprintf(out, PATH_MAX, "%u:%u%.4000s", m->major, m->minor, m->root);
}

/* The root in its file system of what lies at PATH in the mount M. */
static int inner_root(struct mount *m, const char *path, struct err *e)
{
	const char *rest = path + (strcmp(m->point, "/") == 0 ? 0 : strlen(m->point));
	const char *root = strcmp(m->root, "/") == 0 ? "" : m->root;
	char whole[2 * PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s%s", root,
		       strcmp(rest, "/") == 0 ? "" : rest);
	if (strlen(whole) >= sizeof(m->root))
		return err_set(e, ERR_FAILED, "%s: path too long", path);
	if (!*whole)
		memcpy(whole, "/", 2);
	memcpy(m->root, whole, strlen(whole) + 1);
	return 0;
}

/* Find the mount of PATH in our own namespace. */
static int find_wanted(const char *path, struct wanted *w, char *line, struct err *e)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mount m;
	struct statx st;
	bool found = false;

	if (!f)
		return err_sys(e, "read /proc/self/mountinfo");
	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID)) {
		(void)fclose(f);
		return err_sys(e, "stat %s", path);
	}
	while (read_mount(f, line, &m)) {
		if (strcmp(m.point, "/") == 0)
			home_of(&m, w->home);
		if (m.id == st.stx_mnt_id) {
			w->at = m;
			found = true;
		}
	}
	(void)fclose(f);
	if (!found)
		return err_set(
			e, ERR_REFUSED,
			"%s: cannot tell whether it is in use: its mount is not "
			"in /proc/self/mountinfo (in a chroot, make / a mount point)",
			path);
	return inner_root(&w->at, path, e);
}

/* Whether the root of a mount is the volume or a part of it. */
static bool is_of(const struct mount *m, const struct wanted *w)
{
	size_t len = strlen(w->at.root);

	if (m->major != w->at.major || m->minor != w->at.minor)
		return false;
	if (strcmp(w->at.root, "/") == 0)
		return true;
	return strncmp(m->root, w->at.root, len) == 0 &&
	       (m->root[len] == '\0' || m->root[len] == '/');
}

/* Whether our own namespace has the same mount at the same place. */
static bool is_copy(const struct mount *m)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free struct mount *own = malloc(sizeof(*own));
	auto_free char *line = malloc(LINE);
	bool same = false;

	while (f && own && line && !same && read_mount(f, line, own))
		same = own->major == m->major && own->minor == m->minor &&
		       strcmp(own->root, m->root) == 0 &&
		       strcmp(own->point, m->point) == 0;
	if (f)
		(void)fclose(f);
	return same;
}

/* Copies count only for who lives under another root: a container. */
static bool process_uses(FILE *f, const struct wanted *w, char *line)
{
	bool used = false, copies = false;
	char home[PATH_MAX] = "";
	struct mount m;

	while (!used && read_mount(f, line, &m)) {
		if (strcmp(m.point, "/") == 0)
			home_of(&m, home);
		if (!is_of(&m, w))
			continue;
		if (is_copy(&m))
			copies = true;
		else
			used = true;
	}
	return used || (copies && strcmp(home, w->home) != 0);
}

/* Each namespace is read once, as far as they fit; more are read again. */
static bool is_new(struct wanted *w, const char *pid)
{
	char name[64];
	struct stat st;

	(void)snprintf(name, sizeof(name), "/proc/%.20s/ns/mnt", pid);
	if (stat(name, &st) < 0)
		return true;
	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i] == st.st_ino)
			return false;
	if (w->n_seen < SEEN_MAX)
		w->seen[w->n_seen++] = st.st_ino;
	return true;
}

/* Processes come and go, which is no matter; some are not for us to read (hidepid). */
static bool check_process(struct wanted *w, const char *pid, char *line)
{
	char name[64];
	FILE *f;
	bool used;

	if (!isdigit((unsigned char)pid[0]) || !is_new(w, pid))
		return false;
	(void)snprintf(name, sizeof(name), "/proc/%.20s/mountinfo", pid);
	f = fopen(name, "re");
	if (!f) {
		w->partial |= errno == EACCES || errno == EPERM;
		return false;
	}
	used = process_uses(f, w, line);
	(void)fclose(f);
	return used;
}

static int scan(struct wanted *w, char *line, pid_t *pid, struct err *e)
{
	DIR *d = opendir("/proc");
	const struct dirent *de;
	int used = 0;

	if (!d)
		return err_sys(e, "read /proc");
	(void)is_new(w, "self");
	/* Where others' processes are not even listed, the first one is not. */
	w->partial = access("/proc/1", F_OK) < 0;
	while (!used && (de = readdir(d)) != NULL) {
		if (!check_process(w, de->d_name, line))
			continue;
		used = 1;
		*pid = (pid_t)strtol(de->d_name, NULL, 10);
	}
	(void)closedir(d);
	return used;
}

int place_in_use(const char *path, pid_t *pid, bool *partial, struct err *e)
{
	auto_free struct wanted *w = calloc(1, sizeof(*w));
	auto_free char *line = malloc(LINE), *real = realpath(path, NULL);
	int used;

	*partial = false;
	if (!real)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (!w || !line)
		return err_memory(e);
	if (find_wanted(real, w, line, e) < 0)
		return -1;
	used = scan(w, line, pid, e);
	*partial = w->partial;
	return used;
}
