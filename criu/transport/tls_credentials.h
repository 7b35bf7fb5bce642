/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once
#include "run/options.h"
#include "transport/tls_calls.h"

/* Our certificate and key, and the CAs that we trust. 0 or a logged negative errno. */
int tls_credentials_load(const struct tls_calls *tls, const struct options *opts,
			 gnutls_certificate_credentials_t *ret);
