//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The test binary plays the other parts, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{asServers, asNight, asReplay}, os.Args[1]) {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A small district: the client that discards sends what the night has sent, and the
// night has written nothing. How long it takes is not asked here.
func TestSmallDistrict(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"-people", "60", "-times", "2"}, &out, &errs)
	if status != 0 && !regexp.MustCompile(`^nightspeed: a night takes [0-9.]+ times as long, limit 1.5\n$`).
		MatchString(errs.String()) {
		t.Errorf("status %d\n%s%s", status, &out, &errs)
	}
	want := regexp.MustCompile(`requests: [1-9][0-9]* to Open-Xchange, [1-9][0-9]* to the directory, .*; 0 writes\n$`)
	if !want.MatchString(out.String()) {
		t.Errorf("printed:\n%s", &out)
	}
}

// What is above a limit is said, all of it.
func TestJudge(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		name       string
		ours, yard taken
		writes     map[string]int
		says       []string
	}{
		{"at the limits", taken{wall: 15, peak: 200 * mib}, taken{wall: 10}, nil, nil},
		{"slower", taken{wall: 151, peak: mib}, taken{wall: 100}, nil, []string{"1.51 times"}},
		{"larger", taken{wall: 10, peak: 201 * mib}, taken{wall: 10}, nil, []string{"201 MiB"}},
		{"a write", taken{wall: 10}, taken{wall: 10}, map[string]int{"ldap add": 1}, []string{"ldap add:1"}},
		{"all", taken{wall: 20, peak: 300 * mib}, taken{wall: 10}, map[string]int{"smtp": 2},
			[]string{"2.00 times", "300 MiB", "smtp:2"}},
	} {
		m := measure{stdout: new(bytes.Buffer)}
		err := m.judge(c.ours, c.yard, counts{}, c.writes)
		if (err != nil) != (len(c.says) > 0) {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %v does not say %q", c.name, err, s)
			}
		}
	}
}
