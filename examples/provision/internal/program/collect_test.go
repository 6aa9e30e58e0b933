package program

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestCollectLate: nothing is collected while the process is small; from the first
// collection on everything is as usual. Whoever has said how keeps it so.
func TestCollectLate(t *testing.T) {
	limit := debug.SetMemoryLimit(-1)
	percent := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Setenv("GOGC", "")
		t.Setenv("GOMEMLIMIT", "")
		t.Setenv(name, "50")
		CollectLate()
		if got := debug.SetMemoryLimit(-1); got != limit {
			t.Errorf("%s is set, and the limit is %d", name, got)
		}
	}
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	CollectLate()
	if got := debug.SetMemoryLimit(-1); got != unhindered {
		t.Errorf("the limit is %d, want %d", got, unhindered)
	}
	for end := time.Now().Add(time.Minute); debug.SetMemoryLimit(-1) != limit && time.Now().Before(end); {
		runtime.GC()
	}
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("after a collection the limit is %d", got)
	}
	for end := time.Now().Add(time.Minute); ; {
		got := debug.SetGCPercent(100)
		if got == 100 {
			break
		}
		debug.SetGCPercent(got)
		if time.Now().After(end) {
			t.Fatalf("after a collection it is %d %%", got)
		}
	}
}
