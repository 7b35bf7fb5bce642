/* SPDX-License-Identifier: GPL-2.0-only */
#pragma once

/* The version of CRIU whose interface is implemented. */
#define INTERFACE_VERSION "4.2"
#ifndef OWN_VERSION
#define OWN_VERSION "0.1"
#endif
