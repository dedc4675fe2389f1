/* err.h: errors of libdetect are values; the words a person reads are made in tools/. */
#ifndef DETECT_ERR_H
#define DETECT_ERR_H

enum dt_err {
	DT_OK = 0,
	DT_ERR_NOMEM,       /* the host's allocator returned NULL */
	DT_ERR_IO,          /* a system call failed; errno says why */
	DT_ERR_NOT_A_LOG,   /* the magic is missing */
	DT_ERR_VERSION,     /* a log of another format version */
	DT_ERR_BYTE_ORDER,  /* a log of a machine of the other byte order */
	DT_ERR_TRUNCATED,   /* shorter than its own header */
	DT_ERR_CORRUPT,     /* a record that no writer writes; what came before it was read */
	DT_ERR_TOO_LARGE,   /* more than DT_ID_MAX things of a kind */
	DT_ERR_SYNTAX,      /* text-log language: a line that can't be read */
};

#endif
