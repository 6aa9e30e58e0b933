// Package spool converts a Cyrus spool on disk.
package spool
