//go:build !linux

package orphan

import "os/exec"

// Prevent does nothing: this system has no parent-death signal.
func Prevent(*exec.Cmd) {}

// Root is not possible here.
func Root(*exec.Cmd, string) {}
