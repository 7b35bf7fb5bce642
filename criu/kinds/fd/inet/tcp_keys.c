// SPDX-License-Identifier: GPL-2.0-only
/* Keys of TCP_MD5SIG (tcp(7), RFC 2385): getsockopt(2) does not return them, sock_diag does. */
#include "kinds/fd/inet/tcp_keys.h"
#include <errno.h>
#include <string.h>
#include "kinds/fd/inet/address.h"
#include "kinds/fd/inet/data.h"
#include "netlink/inet_diag.h"
#include "netlink/sock_diag.h"

static int add_key(struct dump *dump, InetSkEntry *entry, const struct inet_diag_key *key)
{
	InetMd5Entry *md5 = dump_alloc(dump, sizeof(*md5));

	if (!md5)
		return -ENOMEM;
	inet_md5_entry__init(md5);
	md5->address.len = key->family == AF_INET6 ? 16 : 4;
	md5->address.data = dump_alloc(dump, md5->address.len);
	md5->key.len = key->len;
	md5->key.data = dump_alloc(dump, key->len);
	if (!md5->address.data || !md5->key.data)
		return -ENOMEM;
	memcpy(md5->address.data, key->address, md5->address.len);
	memcpy(md5->key.data, key->key, key->len);
	md5->prefix = key->prefix;
	entry->md5[entry->n_md5++] = md5;
	return 0;
}

static void fill_address(const union inet_address *a, uint32_t *words, uint16_t *ret_port)
{
	if (a->any.sa_family == AF_INET)
		words[0] = a->v4.sin_addr.s_addr;
	else
		memcpy(words, &a->v6.sin6_addr, 16);
	*ret_port = inet_address_port(a);
}

int tcp_keys_save(struct dump *dump, const struct fd_probe *probe, InetSkEntry *entry, const union inet_address *src,
		  const union inet_address *dst)
{
	struct inet_diag_socket like = { .family = entry->family, .state = entry->state, .ino = probe->st.st_ino }, sk;
	struct inet_dump *data = inet_dump_data(dump);
	struct inet_diag_keys keys = { 0 };
	const struct inet_diag_key *key;
	int err;

	fill_address(src, like.src, &like.src_port);
	fill_address(dst, like.dst, &like.dst_port);
	if (src->any.sa_family == AF_INET6)
		like.interface = src->v6.sin6_scope_id ? src->v6.sin6_scope_id : dst->v6.sin6_scope_id;
	err = data->diag ? 0 : sock_diag_open(&data->diag);
	if (!err)
		err = inet_diag_find(data->diag, &like, &sk, &keys);
	if (err) {
		log_debug("%s: not listed by sock_diag (errno %d)", probe->link, -err);
		array_free(&keys);
		return 0;
	}
	if (entry->state == TCP_LISTEN)
		inet_set_shutdown(entry, sk.shutdown);
	entry->md5 = dump_alloc(dump, (keys.n + 1) * sizeof(*entry->md5));
	err = entry->md5 ? 0 : -ENOMEM;
	array_for_each(key, &keys) {
		if (!err)
			err = add_key(dump, entry, key);
	}
	if (keys.n)
		explicit_bzero(keys.v, keys.n * sizeof(*keys.v));
	array_free(&keys);
	return err ? fail(err, "keys of a TCP socket") : 0;
}

int tcp_keys_check(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_md5; i++) {
		const InetMd5Entry *md5 = entry->md5[i];

		if (!inet_is_tcp(entry) || (md5->address.len != 4 && md5->address.len != 16) ||
		    (md5->address.len == 16 && entry->family == AF_INET) || md5->prefix > 8 * md5->address.len ||
		    !md5->key.len || md5->key.len > TCP_MD5SIG_MAXKEYLEN)
			return fail(-EBADMSG, "invalid key (TCP_MD5SIG) of %zu bytes for addresses of %zu",
				    md5->key.len, md5->address.len);
	}
	return 0;
}

static int set_key(int fd, const InetSkEntry *entry, const InetMd5Entry *md5)
{
	struct tcp_md5sig sig = { .tcpm_flags = TCP_MD5SIG_FLAG_PREFIX,
				  .tcpm_prefixlen = md5->prefix,
				  .tcpm_keylen = md5->key.len };
	union inet_address peers = { .any.sa_family = entry->family };
	int err;

	if (entry->family == AF_INET) {
		memcpy(&peers.v4.sin_addr, md5->address.data, 4);
	} else if (md5->address.len == 16) {
		memcpy(&peers.v6.sin6_addr, md5->address.data, 16);
	} else {
		peers.v6.sin6_addr.s6_addr[10] = peers.v6.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&peers.v6.sin6_addr.s6_addr[12], md5->address.data, 4);
	}
	memcpy(&sig.tcpm_addr, &peers, inet_address_len(&peers));
	memcpy(sig.tcpm_key, md5->key.data, md5->key.len);
	err = setsockopt(fd, SOL_TCP, TCP_MD5SIG_EXT, &sig, sizeof(sig)) < 0 ? -errno : 0;
	explicit_bzero(&sig, sizeof(sig));
	return err;
}

int tcp_keys_restore(int fd, const InetSkEntry *entry)
{
	int err = 0;

	for (size_t i = 0; i < entry->n_md5 && !err; i++)
		err = set_key(fd, entry, entry->md5[i]);
	return err ? fail(err, "set a key of a TCP socket (TCP_MD5SIG)") : 0;
}
