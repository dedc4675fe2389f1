/* What is read of the file is what the kernel and the loader would look at: the mode bits, the
 * capability attribute, "#!" and the ELF program headers (elf(5), execve(2)). */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "arena.h"
#include "model.h"
#include "say.h"

#define SCRIPT_DEPTH_MAX 5  /* the kernel's bound on interpreters of interpreters */
#define SCRIPT_LINE_MAX 256 /* what the kernel reads of "#!" */
#define SHELL "/bin/sh"

static void refuse(struct program *program, int status, char *why, const char *mend)
{
	program->status = status;
	program->why = why;
	program->mend = mend;
}

/* errno of trying to execute `path`; 0 when it is an executable file. */
static int try_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return EACCES;
	return 0;
}

/* As execvp: the first executable file; else EACCES if one was there that is not executable. */
static char *search_path(const char *name, int *error)
{
	const char *folders = getenv("PATH");

	*error = ENOENT;
	if (!folders)
		folders = "/bin:/usr/bin"; /* confstr(_CS_PATH) of glibc */
	for (;;) {
		size_t length = strcspn(folders, ":");
		char *path =
		    length ? must_printf("%.*s/%s", (int)length, folders, name) : must_printf("./%s", name);
		int e = try_path(path);

		if (e == 0) {
			*error = 0;
			return path;
		}
		free(path);
		if (e == EACCES)
			*error = EACCES;
		if (!folders[length])
			return NULL;
		folders += length + 1;
	}
}

static bool is_native(const Elf64_Ehdr *header)
{
	static const unsigned char little = ELFDATA2LSB;
	const union {
		uint16_t number;
		unsigned char bytes[2];
	} order = {.number = 1};
	Elf64_Ehdr ours;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t bytes = fd < 0 ? -1 : pread(fd, &ours, sizeof(ours), 0);

	if (fd >= 0)
		close(fd);
	if (bytes != sizeof(ours)) { /* no /proc: at least the class and the byte order */
		unsigned char data = order.bytes[0] ? little : ELFDATA2MSB;
		return header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == data;
	}
	return memcmp(header->e_ident, ours.e_ident, EI_DATA + 1) == 0 && header->e_machine == ours.e_machine;
}

/* Path of the dynamic loader it asks for, at most `size` bytes. False: it asks for none. */
static bool read_loader(int fd, const Elf64_Ehdr *header, char *loader, size_t size)
{
	Elf64_Phdr segment;

	for (unsigned i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return false;
		if (segment.p_type != PT_INTERP)
			continue;
		size_t bytes = segment.p_filesz < size - 1 ? (size_t)segment.p_filesz : size - 1;
		ssize_t got = pread(fd, loader, bytes, (off_t)segment.p_offset);
		loader[got > 0 ? got : 0] = '\0';
		return got > 0;
	}
	return false;
}

/* Why the loader won't preload into it, with the way out; NULL when it will. */
static const char *elf_obstacle(int fd, const struct stat *st, const Elf64_Ehdr *header, const char *loader,
                                const char **mend)
{
	*mend = "run a copy of it without that (cp leaves it out), as the user it would become";
	if (st->st_mode & S_ISUID)
		return "set-user-ID: it can't be preloaded";
	if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return "set-group-ID: it can't be preloaded";
	if (fgetxattr(fd, "security.capability", NULL, 0) >= 0)
		return "it has file capabilities: it can't be preloaded";
	*mend = "build it for this machine (64 bits: without -m32)";
	if (!is_native(header))
		return "built for another kind of machine than detect: it can't be preloaded";
	*mend = "link it dynamically, without -static";
	if (!*loader)
		return "statically linked: it can't be preloaded";
	*mend = "build it with glibc, for example in a container of Debian";
	if (strncmp(model_base_name(loader), "ld-musl", strlen("ld-musl")) == 0)
		return "built for the musl C library; only programs of glibc can be preloaded";
	return NULL;
}

static void check_elf(struct program *program, const char *path, int fd, const struct stat *st,
                      const Elf64_Ehdr *header)
{
	char loader[256] = "";
	const char *mend;

	if (is_native(header) && !read_loader(fd, header, loader, sizeof(loader)))
		*loader = '\0';
	const char *why = elf_obstacle(fd, st, header, loader, &mend);
	if (why) {
		refuse(program, STATUS_CANNOT_EXECUTE, must_printf("%s: %s", path, why), mend);
		return;
	}
	free(program->elf);
	free(program->loader);
	program->elf = must_printf("%s", path);
	program->loader = must_printf("%s", loader);
}

static void check_file(struct program *program, const char *path, unsigned depth);

/* The path behind "#!". */
static void check_script(struct program *program, const char *path, const char *line, unsigned depth)
{
	char interpreter[SCRIPT_LINE_MAX];
	size_t skip = 2 + strspn(line + 2, " \t"), length = strcspn(line + skip, " \t\r\n");

	memcpy(interpreter, line + skip, length);
	interpreter[length] = '\0';
	if (length == 0 || depth == SCRIPT_DEPTH_MAX) {
		refuse(program, STATUS_CANNOT_EXECUTE,
		       must_printf("%s: a script without a usable interpreter", path),
		       "name the interpreter's path behind #! in its first line");
		return;
	}
	int error = try_path(interpreter);
	if (error)
		refuse(program, STATUS_CANNOT_EXECUTE,
		       must_printf("%s: its interpreter %s: %s", path, interpreter, strerror(error)),
		       "install the interpreter, or name the right path behind #! in its first line");
	else
		check_file(program, interpreter, depth + 1);
}

static void check_file(struct program *program, const char *path, unsigned depth)
{
	union {
		Elf64_Ehdr elf;
		char line[SCRIPT_LINE_MAX];
	} head = {.line = ""};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == EACCES)
		return; /* executable but not readable: nothing can be seen beforehand */
	if (fd < 0 || fstat(fd, &st) < 0) {
		refuse(program, STATUS_CANNOT_EXECUTE, must_printf("%s: %s", path, strerror(errno)),
		       "see that it can be read");
	} else {
		ssize_t bytes = pread(fd, head.line, sizeof(head.line) - 1, 0);
		if (bytes >= (ssize_t)sizeof(head.elf) && memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
			check_elf(program, path, fd, &st, &head.elf);
		else if (bytes >= 2 && memcmp(head.line, "#!", 2) == 0)
			check_script(program, path, head.line, depth);
		else if (depth > 0)
			refuse(program, STATUS_CANNOT_EXECUTE,
			       must_printf("%s: an interpreter that is no program", path),
			       "name a program behind #! in the script's first line");
		else if (memchr(head.line, '\0', bytes > 0 ? (size_t)bytes : 0))
			refuse(program, STATUS_CANNOT_EXECUTE, must_printf("%s: %s", path, strerror(ENOEXEC)),
			       "name a program, not its data");
		else
			program->shell_script = true;
	}
	if (fd >= 0)
		close(fd);
}

void program_find(struct program *program, const char *name)
{
	int error = 0;

	*program = (struct program){0};
	if (strchr(name, '/')) {
		error = try_path(name);
		program->path = must_printf("%s", name);
	} else {
		program->path = *name ? search_path(name, &error) : NULL;
		error = *name ? error : ENOENT;
	}
	if (error == ENOENT || error == ENOTDIR)
		refuse(program, STATUS_NOT_FOUND, must_printf("%s: not found", *name ? name : "''"),
		       "see if the name is right; without a slash it is looked for in PATH");
	else if (error)
		refuse(program, STATUS_CANNOT_EXECUTE, must_printf("%s: %s", name, strerror(error)),
		       "see that it is a file that may be executed (chmod +x)");
	else
		check_file(program, program->path, 0);
	if (!program->status && program->shell_script)
		check_file(program, SHELL, 1);
}

void program_close(struct program *program)
{
	free(program->path);
	free(program->elf);
	free(program->loader);
	free(program->why);
	*program = (struct program){0};
}

int program_run(const struct program *program, struct child *child, char **argv, char *const *environment,
                uint64_t limit_ns)
{
	size_t count = 0;

	if (!program->shell_script)
		return child_run(child, program->path, argv, environment, limit_ns);
	while (argv[count])
		count++;
	char **shell_argv = must_realloc(NULL, count + 2, sizeof(*argv));
	shell_argv[0] = SHELL;
	memcpy(shell_argv + 1, argv, (count + 1) * sizeof(*argv));
	shell_argv[1] = program->path;
	int error = child_run(child, SHELL, shell_argv, environment, limit_ns);
	free(shell_argv);
	return error;
}
