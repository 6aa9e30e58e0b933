// Package program is the program examples/provision: flags, what it prints, and the
// demonstration, a year of a made-up district. What it runs is package site.
package program
