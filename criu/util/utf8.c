// SPDX-License-Identifier: GPL-2.0-only
#include "util/utf8.h"
#include <stdbool.h>
#include <string.h>

size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80		 ? 1 :
		     s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     (s[0] & 0xf0) == 0xe0	 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 :
						   0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* Of ISO 6429: terminals act on those of two bytes, too. */
static bool is_control(const unsigned char *s)
{
	return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
}

void utf8_clean(char *text)
{
	unsigned char *s = (unsigned char *)text;

	while (*s) {
		size_t len = utf8_length(s);

		if (!len)
			*s = '?';
		else if (is_control(s))
			memset(s, ' ', len);
		s += len ? len : 1;
	}
}
