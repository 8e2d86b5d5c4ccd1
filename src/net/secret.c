/*
 * secret.c
 *	  Reads a provider's key from a file beneath one directory.
 *
 * Decides which files are trusted with a key.  The file is opened first and looked at through its descriptor, so that
 * nobody can put another one in its place in between.  No message ever holds a byte of the contents.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/secret.h"

#define NAME_MAX_LEN 255
#define NS_PER_SECOND INT64_C(1000000000)

/* Always false, so that a refusal is one statement. */
static bool __attribute__((format(printf, 3, 4)))
refuse(char *why, size_t why_size, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(why, why_size, format, args);
	va_end(args);
	return false;
}

void
secret_wipe(char *value, size_t size)
{
	explicit_bzero(value, size);
}

/* RESOLVE_BENEATH would stop these too; said early, the reason is clear. */
static bool
check_name(const char *name, char *why, size_t why_size)
{
	size_t		len = strlen(name);

	if (len == 0)
		return refuse(why, why_size, "name of the secret is empty");
	if (len > NAME_MAX_LEN)
		return refuse(why, why_size, "name of the secret is longer than %d bytes", NAME_MAX_LEN);
	if (strchr(name, '/') != NULL)
		return refuse(why, why_size, "name of the secret must not contain a slash");
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(why, why_size, "name of the secret must not be \"%s\"", name);
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) name[i] < ' ' || name[i] == '\x7f')
			return refuse(why, why_size, "name of the secret must not contain control characters");
	}
	return true;
}

static bool
explain_open_failure(int error, const char *directory, const char *name, char *why, size_t why_size)
{
	char		words[128];

	switch (error)
	{
		case ENOENT:
			return refuse(why, why_size, "no file \"%s\" in directory \"%s\"", name, directory);
		case EXDEV:
		case ELOOP:
			return refuse(why, why_size, "file \"%s\" is a symbolic link that leads out of directory \"%s\"",
						  name, directory);
		case ENXIO:
			return refuse(why, why_size, "file \"%s\" is not a regular file", name);
		case ENOSYS:
			return refuse(why, why_size, "the operating system lacks openat2() (Linux 5.6 or newer is needed)");
		default:
			return refuse(why, why_size, "could not open file \"%s\" in directory \"%s\": %s",
						  name, directory, strerror_r(error, words, sizeof(words)));
	}
}

static int
open_beneath(const char *directory, const char *name, int mode, char *why, size_t why_size)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer */
	struct open_how how = {
		.flags = (mode == O_PATH ? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY) | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
	};
	char		words[128];
	int			parent;
	int			fd;

	if (directory[0] != '/')
	{
		refuse(why, why_size, "directory of the secrets must be an absolute path");
		return -1;
	}
	parent = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
	{
		refuse(why, why_size, "could not open directory \"%s\": %s",
			   directory, strerror_r(errno, words, sizeof(words)));
		return -1;
	}
	/* EAGAIN: something was renamed meanwhile, as Kubernetes does when it exchanges secrets */
	for (int attempt = 0; attempt < 5; attempt++)
	{
		fd = (int) syscall(SYS_openat2, parent, name, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		explain_open_failure(errno, directory, name, why, why_size);
	close(parent);
	return fd;
}

/* The rule of ssl_key_file: ours alone, or root's and readable by one group that root chose. */
static bool
check_file(const struct stat *file, const char *name, char *why, size_t why_size)
{
	mode_t		allowed;

	if (!S_ISREG(file->st_mode))
		return refuse(why, why_size, "file \"%s\" is not a regular file", name);
	if (file->st_uid == geteuid())
		allowed = geteuid() == 0 ? 0640 : 0600;
	else if (file->st_uid == 0)
		allowed = 0640;
	else
		return refuse(why, why_size, "file \"%s\" must be owned by the database user or root", name);
	if ((file->st_mode & 07777 & ~allowed) != 0)
		return refuse(why, why_size, "file \"%s\" has mode %04o; it must be %04o or stricter",
					  name, (unsigned int) (file->st_mode & 07777), (unsigned int) allowed);
	if (file->st_size > SECRET_MAX)
		return refuse(why, why_size, "file \"%s\" is larger than %d bytes", name, SECRET_MAX);
	return true;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* value has len bytes, of which the trailing white space goes. */
static bool
check_contents(char *value, size_t len, const char *name, char *why, size_t why_size)
{
	while (len > 0 && is_space(value[len - 1]))
		len--;
	if (len == 0)
		return refuse(why, why_size, "file \"%s\" is empty", name);
	for (size_t i = 0; i < len; i++)
	{
		if (value[i] <= ' ' || value[i] > '~')
			return refuse(why, why_size,
						  "file \"%s\" holds a space, a line break or another character that cannot stand in a key",
						  name);
	}
	memset(value + len, 0, SECRET_MAX + 1 - len);
	return true;
}

/* One byte more than allowed is asked for: the file may have grown since it was looked at. */
static bool
read_file(int fd, const char *name, char *value, char *why, size_t why_size)
{
	char		words[128];
	size_t		len = 0;

	while (len <= SECRET_MAX)
	{
		ssize_t		n = read(fd, value + len, SECRET_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refuse(why, why_size, "could not read file \"%s\": %s",
						  name, strerror_r(errno, words, sizeof(words)));
		if (n == 0)
			break;
		len += (size_t) n;
	}
	if (len > SECRET_MAX)
		return refuse(why, why_size, "file \"%s\" is larger than %d bytes", name, SECRET_MAX);
	return check_contents(value, len, name, why, why_size);
}

bool
secret_read(const char *directory, const char *name, char *value, char *why, size_t why_size)
{
	struct stat file;
	char		words[128];
	bool		valid;
	int			fd;

	secret_wipe(value, SECRET_MAX + 1);
	refuse(why, why_size, "%s", "");
	if (!check_name(name, why, why_size))
		return false;
	fd = open_beneath(directory, name, O_RDONLY, why, why_size);
	if (fd < 0)
		return false;
	if (fstat(fd, &file) != 0)
		valid = refuse(why, why_size, "could not look at file \"%s\": %s",
					   name, strerror_r(errno, words, sizeof(words)));
	else
		valid = check_file(&file, name, why, why_size) && read_file(fd, name, value, why, why_size);
	close(fd);
	if (!valid)
		secret_wipe(value, SECRET_MAX + 1);
	return valid;
}

void
secret_look(const char *directory, const char *name, SecretStamp *stamp)
{
	struct stat file;
	char		why[256];
	int			fd;

	memset(stamp, 0, sizeof(*stamp));
	if (!check_name(name, why, sizeof(why)))
		return;
	fd = open_beneath(directory, name, O_PATH, why, sizeof(why));
	if (fd < 0)
		return;
	if (fstat(fd, &file) == 0)
	{
		stamp->device = (uint64_t) file.st_dev;
		stamp->inode = (uint64_t) file.st_ino;
		stamp->owner_and_mode = (uint64_t) file.st_uid << 32 | (uint64_t) file.st_mode;
		stamp->size = (int64_t) file.st_size;
		stamp->modified_ns = file.st_mtim.tv_sec * NS_PER_SECOND + file.st_mtim.tv_nsec;
		stamp->changed_ns = file.st_ctim.tv_sec * NS_PER_SECOND + file.st_ctim.tv_nsec;
	}
	close(fd);
}
