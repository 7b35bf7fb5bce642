// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/fields.h"
#include <errno.h>
#include <string.h>

static int find_field(struct btf *btf, const struct kernel_field *field, long *ret)
{
	if (field->path)
		return btf_field_or(btf, field->type, field->path, field->other, ret);
	*ret = btf_sizeof(btf, field->type);
	return *ret > 0 ? 0 : -EOPNOTSUPP;
}

int kernel_fields_find(struct btf *btf, const struct kernel_field *fields, size_t n, void *numbers)
{
	for (size_t i = 0; i < n; i++) {
		long number = -1;
		int err = find_field(btf, &fields[i], &number);

		if (err && !fields[i].optional)
			return err;
		memcpy((char *)numbers + fields[i].to, &number, sizeof(number));
	}
	return 0;
}

int kernel_values_find(struct btf *btf, const struct kernel_value *values, size_t n, long *ret_offsets)
{
	for (size_t i = 0; i < n; i++) {
		ret_offsets[i] = btf_byte(btf, values[i].type, values[i].path);
		if (ret_offsets[i] < 0 && !values[i].optional)
			return -EOPNOTSUPP;
	}
	return 0;
}
