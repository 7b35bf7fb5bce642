// SPDX-License-Identifier: GPL-2.0-only
/* CPUINFO_DUMP, CPUINFO_CHECK */
#include <errno.h>
#include <string.h>

#include "cpu/cpuinfo.h"
#include "service/prepare.h"
#include "service/requests.h"

/* The image is the client's: with its rights. */
static int serve(struct session *s, const CriuReq *req, const char *name, int (*run)(const struct options *opts))
{
	int err = client_rights_assume(s->rights), back;

	if (err)
		return session_refuse(s, err, "assume the rights of user %u: %s", s->rights->uid, strerror(-err));
	err = session_prepare(s, CMD_CPUINFO, name, req->opts);
	if (!err)
		err = run(&s->request.opts);
	back = client_rights_resume(s->rights);
	return back ? session_refuse(s, back, "resume our own rights: %s", strerror(-back)) : err;
}

int serve_cpuinfo_dump(struct session *s, const CriuReq *req, struct answer *ret)
{
	return serve(s, req, "cpuinfo dump", cpuinfo_dump);
}

int serve_cpuinfo_check(struct session *s, const CriuReq *req, struct answer *ret)
{
	return serve(s, req, "cpuinfo check", cpuinfo_check);
}
