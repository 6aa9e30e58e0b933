package program

import (
	"os"
	"runtime"
	"runtime/debug"
)

// unhindered is how much memory in bytes a run may take before anything is collected. A
// night of 32,000 people takes about that much, and half of it is garbage at the end:
// collecting from 4 MB on, as Go does, means to look through everything ten times.
const unhindered = 112 << 20

// CollectLate makes this process collect no garbage while it is small, and as usual from
// then on. It leaves everything as it is where the operator has said how, by GOGC or
// GOMEMLIMIT.
func CollectLate() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(unhindered)
	// A pointer shares its place with nobody, so that it goes with the first collection.
	runtime.AddCleanup(new(*byte), func(struct{}) {
		// The first collection has been: from now on the limit must not force more of them,
		// or a larger district would spend half of its time on collecting.
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}, struct{}{})
}
