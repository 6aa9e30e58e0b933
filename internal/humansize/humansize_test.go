package humansize_test

import (
	"testing"

	"github.com/ictmedia/schoolmail/internal/humansize"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB",
		999_999_999: "1000.0 MB", 2e15: "2.0 PB", 5e18: "5000.0 PB"} {
		if got := humansize.Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
