//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"

	"github.com/ictmedia/schoolmail/site/sitetest"
)

// counts are what the servers were asked.
type counts struct {
	Requests map[string]int `json:"requests"` // by server
	Answers  int64          `json:"answers"`  // bytes from Open-Xchange
	Writes   map[string]int `json:"writes"`   // by operation
}

// less returns what was asked since an earlier count.
func (c counts) less(earlier counts) counts {
	since := func(now, then map[string]int) map[string]int {
		d := map[string]int{}
		for k, n := range now {
			if n -= then[k]; n != 0 {
				d[k] = n
			}
		}
		return d
	}
	return counts{since(c.Requests, earlier.Requests), c.Answers - earlier.Answers, since(c.Writes, earlier.Writes)}
}

// servers is the process of the servers. It prints the district's day when they are
// up, the counts for each line that it reads, and ends when there are no more.
func servers(_ context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet(asServers, flag.ContinueOnError)
	people, dir := fs.Int("people", 0, ""), fs.String("dir", "", "")
	err := fs.Parse(args)
	if err == nil {
		err = sitetest.Run(func(_ context.Context, sb *sitetest.Sandbox) error {
			if err := sb.WriteDir(*dir); err != nil {
				return err
			}
			fmt.Fprintln(stdout, sb.District.Today())
			for lines := bufio.NewScanner(stdin); lines.Scan(); {
				c := counts{Requests: map[string]int{}, Writes: sb.Writes()}
				for op, n := range sb.LDAP.Counts() {
					if op == "search" {
						c.Requests["the directory"] += n
					}
				}
				c.Requests["Open-Xchange"], _, c.Answers = sb.OX.Requests()
				if err := json.NewEncoder(stdout).Encode(c); err != nil {
					return err
				}
			}
			return nil
		}, sitetest.WithPeople(*people))
	}
	if err != nil {
		fmt.Fprintln(stderr, "servers:", err)
		return 1
	}
	return 0
}
