// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/boot_id.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "util/fds.h"
#include "util/proc_root.h"

int boot_id_read(char ret[BOOT_ID_LEN + 1])
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(proc_root(), "sys/kernel/random/boot_id", &text);

	if (err || text.len < BOOT_ID_LEN)
		return err ? err : -EBADMSG;
	memcpy(ret, text.data, BOOT_ID_LEN);
	ret[BOOT_ID_LEN] = 0;
	return 0;
}
