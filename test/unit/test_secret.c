/*
 * test_secret.c
 *	  Which files are read as a provider's key, which are refused, and in which words.
 *
 * Works in a new directory under TMPDIR.  What only root can set up (a file of somebody else's) is checked as root by
 * giving files away and by dropping to another user in a child process; as an ordinary user the other side of the same
 * rule is checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "net/secret.h"

#define STRANGER 65534			/* nobody */

static char directory[1000];
static char value[SECRET_MAX + 1];
static char why[600];

static void
die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(2);
}

static const char *
path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void
put_bytes(const char *name, const char *bytes, size_t len, mode_t mode)
{
	int			fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t) len || fchmod(fd, mode) != 0 || close(fd) != 0)
		die(name);
}

static void
put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text), 0600);
}

static bool
is_wiped(void)
{
	for (size_t i = 0; i < sizeof(value); i++)
	{
		if (value[i] != '\0')
			return false;
	}
	return true;
}

static bool
get(const char *name)
{
	memset(value, 'x', sizeof(value));
	strcpy(why, "untouched");
	return secret_read(directory, name, value, why, sizeof(why));
}

static bool
refused(const char *name, const char *reason)
{
	bool		right = CHECK(!get(name));

	right = CHECK_CONTAINS(why, reason) && right;
	return CHECK(is_wiped()) && right;
}

static void
key_is_read_without_trailing_white_space(void)
{
	static const struct
	{
		const char *contents;
		const char *key;
	}			rows[] = {
		{"sk-abc123", "sk-abc123"},
		{"sk-abc123\n", "sk-abc123"},
		{"sk-abc123\r\n \t\n", "sk-abc123"},
		{"~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}"},
		{"x", "x"}
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		put("key", rows[i].contents);
		CHECK(get("key"));
		CHECK_STR(value, rows[i].key);
		CHECK_STR(why, "");
	}
}

static void
contents_that_cannot_stand_in_a_header_are_refused_and_not_repeated(void)
{
	static const struct
	{
		const char *bytes;
		size_t		len;
	}			rows[] = {
		{"hidden\r\nX-Evil: 1", 17},
		{"hidden key", 10},
		{" hidden", 7},
		{"hid\0den", 7},
		{"hidden\x7f", 7},
		{"hid\xc3\xa9" "den", 8},
		{"\xef\xbb\xbfhidden", 9},
		{"hid\tden", 7}
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;

		put_bytes("odd", rows[i].bytes, rows[i].len, 0600);
		refused("odd", "cannot stand in a key");
		CHECK_LACKS(why, "hid");
		CHECK_ROW(before, "%zu", i);
	}
}

static void
empty_file_is_refused(void)
{
	put("empty", "");
	refused("empty", "is empty");
	put("blank", " \n\n");
	refused("blank", "is empty");
}

static void
size_limit_is_exact(void)
{
	char		big[SECRET_MAX + 1];

	memset(big, 'k', sizeof(big));
	put_bytes("big", big, SECRET_MAX, 0600);
	CHECK(get("big"));
	CHECK_INT(strlen(value), SECRET_MAX);
	put_bytes("big", big, SECRET_MAX + 1, 0600);
	refused("big", "larger than 8192 bytes");
}

static void
missing_file_or_directory_is_named(void)
{
	refused("nothing-here", "no file \"nothing-here\" in directory");
	CHECK(!secret_read("/no/such/directory", "key", value, why, sizeof(why)));
	CHECK_CONTAINS(why, "could not open directory \"/no/such/directory\"");
	CHECK(!secret_read("", "key", value, why, sizeof(why)));
	CHECK_CONTAINS(why, "absolute path");
	CHECK(!secret_read(".", "key", value, why, sizeof(why)));
	CHECK_CONTAINS(why, "absolute path");
	put("file", "x");
	CHECK(!secret_read(path_of("file"), "key", value, why, sizeof(why)));
	CHECK_CONTAINS(why, "could not open directory");
}

static void
names_that_could_lead_elsewhere_are_refused(void)
{
	char		long_name[300];

	refused("", "is empty");
	refused("..", "must not be \"..\"");
	refused(".", "must not be \".\"");
	refused("../key", "must not contain a slash");
	refused("/etc/passwd", "must not contain a slash");
	refused("sub/key", "must not contain a slash");
	refused("key\n", "must not contain control characters");
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	refused(long_name, "longer than 255 bytes");
	/* dots alone are no danger */
	put("..key", "fine");
	CHECK(get("..key"));
}

static void
only_regular_files_are_read(void)
{
	if (mkdir(path_of("folder"), 0700) != 0)
		die("mkdir");
	refused("folder", "not a regular file");

	/* nobody writes to it: opening it must not wait, the alarm would end the program */
	if (mkfifo(path_of("fifo"), 0600) != 0)
		die("mkfifo");
	alarm(20);
	refused("fifo", "not a regular file");
	alarm(0);

	if (mknod(path_of("socket"), S_IFSOCK | 0600, 0) != 0)
		die("mknod");
	refused("socket", "not a regular file");
}

static void
links_may_lead_around_but_not_out(void)
{
	char		outside[1100];

	/* as Kubernetes arranges a mounted secret */
	if (mkdir(path_of("..2024_01_01"), 0700) != 0 || symlink("..2024_01_01", path_of("..data")) != 0 ||
		symlink("..data/mounted", path_of("mounted")) != 0)
		die("links");
	put("..2024_01_01/mounted", "sk-mounted\n");
	CHECK(get("mounted"));
	CHECK_STR(value, "sk-mounted");

	snprintf(outside, sizeof(outside), "%s.outside", directory);
	if (symlink("/etc/passwd", path_of("absolute")) != 0 || symlink("../../etc/passwd", path_of("upwards")) != 0 ||
		symlink(outside, path_of("sibling")) != 0 || symlink("loop", path_of("loop")) != 0 ||
		symlink("/proc/self/fd/0", path_of("magic")) != 0 || symlink("gone", path_of("dangling")) != 0)
		die("links");
	refused("absolute", "leads out of directory");
	refused("upwards", "leads out of directory");
	refused("sibling", "leads out of directory");
	refused("magic", "leads out of directory");
	CHECK(!get("loop"));
	CHECK(is_wiped());
	refused("dangling", "no file \"dangling\"");
}

static void
open_permissions_are_refused(void)
{
	static const mode_t modes[] = {0644, 0660, 0604, 0602, 0666, 0777, 0700, 04600, 0650};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
	{
		char		mode[40];

		put_bytes("open", "secret-key", 10, modes[i]);
		snprintf(mode, sizeof(mode), "has mode %04o; it must be", (unsigned int) modes[i]);
		refused("open", mode);
		CHECK_LACKS(why, "secret-key");
	}
	put_bytes("strict", "secret-key", 10, 0400);
	CHECK(get("strict"));
}

/* Runs what as the stranger, in a child; true when it returned true. */
static bool
as_stranger(bool (*what) (void))
{
	int			status = -1;
	pid_t		child;

	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		bool		result = setgid(STRANGER) == 0 && setuid(STRANGER) == 0 && what();

		fflush(stdout);
		_exit(result ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
stranger_reads_roots_group_file(void)
{
	return get("shared") && strcmp(value, "shared-key") == 0;
}

static bool
stranger_is_refused_own_group_file(void)
{
	return refused("own", "has mode 0640; it must be 0600 or stricter");
}

static bool
stranger_is_refused_unreadable_file(void)
{
	return refused("closed", "could not open file \"closed\"");
}

/* As root: files of three owners, read by root and by a stranger.  As anybody else: our own files. */
static void
owner_decides_which_mode_is_strict_enough(void)
{
	put_bytes("own", "own-key", 7, 0640);
	if (geteuid() != 0)
	{
		CHECK(stranger_is_refused_own_group_file());
		put_bytes("closed", "closed-key", 10, 0);
		CHECK(stranger_is_refused_unreadable_file());
		return;
	}
	CHECK(get("own"));
	put_bytes("shared", "shared-key", 10, 0640);
	put_bytes("closed", "closed-key", 10, 0600);
	put_bytes("foreign", "foreign-key", 11, 0600);
	if (chmod(directory, 0755) != 0 || chown(path_of("shared"), 0, STRANGER) != 0 ||
		chown(path_of("own"), STRANGER, STRANGER) != 0 || chown(path_of("foreign"), STRANGER, STRANGER) != 0)
		die("chown");
	CHECK(as_stranger(stranger_reads_roots_group_file));
	CHECK(as_stranger(stranger_is_refused_own_group_file));
	CHECK(as_stranger(stranger_is_refused_unreadable_file));
	refused("foreign", "must be owned by the database user or root");
}

static void
message_fits_whatever_the_room(void)
{
	char		tiny[8];

	CHECK(!secret_read(directory, "nothing-here", value, tiny, sizeof(tiny)));
	CHECK_STR(tiny, "no file");
}

static void
wiping_leaves_nothing(void)
{
	memset(value, 'x', sizeof(value));
	secret_wipe(value, sizeof(value));
	CHECK(is_wiped());
}

static SecretStamp
look(const char *name)
{
	SecretStamp stamp;

	memset(&stamp, 'x', sizeof(stamp));
	secret_look(directory, name, &stamp);
	return stamp;
}

static bool
changed(const char *name, SecretStamp *stamp)
{
	SecretStamp now = look(name);
	bool		differs = memcmp(&now, stamp, sizeof(now)) != 0;

	*stamp = now;
	return differs;
}

static void
a_look_tells_one_state_of_a_file_from_another(void)
{
	static const SecretStamp none;
	SecretStamp stamp = look("looked-at");
	char		fresh[PATH_MAX];

	CHECK(memcmp(&stamp, &none, sizeof(stamp)) == 0);
	put("looked-at", "one");
	CHECK(changed("looked-at", &stamp));
	CHECK(!changed("looked-at", &stamp));
	put("looked-at.new", "two");
	strcpy(fresh, path_of("looked-at.new"));
	if (rename(fresh, path_of("looked-at")) != 0)
		die("rename");
	CHECK(changed("looked-at", &stamp));
	CHECK(!changed("looked-at", &stamp));
	/* a file that cannot be read is looked at as well: its mode may be what will be mended */
	if (chmod(path_of("looked-at"), 0000) != 0)
		die("chmod");
	CHECK(changed("looked-at", &stamp));
	CHECK(!changed("looked-at", &stamp));
	if (unlink(path_of("looked-at")) != 0)
		die("unlink");
	CHECK(changed("looked-at", &stamp));
	CHECK(memcmp(&stamp, &none, sizeof(stamp)) == 0);
}

static void
a_look_goes_no_further_than_a_read(void)
{
	static const char *const names[] = {"absolute", "upwards", "sibling", "magic", "loop", "dangling", "../key", "", "."};
	static const SecretStamp none;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		SecretStamp stamp = look(names[i]);
		int			before = check_failures;

		CHECK(memcmp(&stamp, &none, sizeof(stamp)) == 0);
		CHECK_ROW(before, "%s", names[i]);
	}
	CHECK(look("mounted").inode != 0);
}

static void
no_descriptor_stays_open(void)
{
	int			before = dup(0);
	int			after;

	close(before);
	put("key", "k");
	for (int i = 0; i < 100; i++)
	{
		CHECK(get("key"));
		CHECK(!get("nothing-here"));
		CHECK(!get("folder"));
		look("key");
		look("nothing-here");
	}
	after = dup(0);
	close(after);
	CHECK_INT(after, before);
}

static const CheckTest tests[] = {
	CHECK_TEST(key_is_read_without_trailing_white_space),
	CHECK_TEST(contents_that_cannot_stand_in_a_header_are_refused_and_not_repeated),
	CHECK_TEST(empty_file_is_refused),
	CHECK_TEST(size_limit_is_exact),
	CHECK_TEST(missing_file_or_directory_is_named),
	CHECK_TEST(names_that_could_lead_elsewhere_are_refused),
	CHECK_TEST(only_regular_files_are_read),
	CHECK_TEST(links_may_lead_around_but_not_out),
	CHECK_TEST(open_permissions_are_refused),
	CHECK_TEST(owner_decides_which_mode_is_strict_enough),
	CHECK_TEST(message_fits_whatever_the_room),
	CHECK_TEST(wiping_leaves_nothing),
	CHECK_TEST(a_look_tells_one_state_of_a_file_from_another),
	CHECK_TEST(a_look_goes_no_further_than_a_read),
	CHECK_TEST(no_descriptor_stays_open)
};

int
main(void)
{
	const char *base = getenv("TMPDIR");
	char		command[1100];
	int			result;

	umask(0);
	snprintf(directory, sizeof(directory), "%s/test_secret.XXXXXX", base != NULL && base[0] == '/' ? base : "/tmp");
	if (mkdtemp(directory) == NULL)
		die("mkdtemp");
	result = check_run_all(tests);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	if (system(command) != 0)
		printf("# could not remove %s\n", directory);
	return result;
}
