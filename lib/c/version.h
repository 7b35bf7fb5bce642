/* SPDX-License-Identifier: LGPL-2.1-only */
/* The version of CRIU whose interface this library has. */
#ifndef __CR_VERSION_H__
#define __CR_VERSION_H__

#define CRIU_VERSION "4.2"
#define CRIU_VERSION_MAJOR 4
#define CRIU_VERSION_MINOR 2
#define CRIU_GITID "0"

#endif /* __CR_VERSION_H__ */
