//go:build !linux

package main

func main() { panic("needs Cyrus and Dovecot, which run on Linux here") }
