//go:build !linux

package slapd

import "os/exec"

// dieWithParent does nothing: this system has no parent-death signal.
func dieWithParent(*exec.Cmd) {}
