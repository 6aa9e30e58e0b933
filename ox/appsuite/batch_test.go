package appsuite

import (
	"testing"
	"time"
)

// Batches grow while the server is quick, shrink where it is slow, and stay within
// bounds.
func TestBatches(t *testing.T) {
	t.Parallel()
	type step struct {
		n    int
		took time.Duration
		want int // of the next batch
	}
	for name, steps := range map[string][]step{
		"quick":               {{100, time.Second, 500}, {500, 5 * time.Second, 500}},
		"as measured on 8.19": {{100, 1020 * time.Millisecond, 500}, {500, 2450 * time.Millisecond, 500}},
		"slow":                {{100, 20 * time.Second, 50}, {50, 20 * time.Second, 25}, {25, time.Minute, 25}},
		"no time at all":      {{100, 0, 500}},
		"few items say nothing until they are slow": {{3, time.Millisecond, 100}, {3, 15 * time.Second, 25}},
		"just in time":     {{100, 10 * time.Second, 100}},
		"slow, then quick": {{100, 40 * time.Second, 25}, {25, time.Second, 125}, {125, time.Second, 500}},
	} {
		var b batches
		if got := b.next(500); got != 100 {
			t.Errorf("%s: begins with %d", name, got)
		}
		for i, s := range steps {
			b.took(s.n, s.took)
			if got := b.next(500); got != s.want {
				t.Errorf("%s: after step %d %d, want %d", name, i+1, got, s.want)
			}
		}
	}
	var b batches
	if got := b.next(10); got != 10 {
		t.Errorf("more than asked for: %d", got)
	}
	b.lost()
	if got := b.next(500); got != 50 {
		t.Errorf("after a lost answer: %d", got)
	}
}
