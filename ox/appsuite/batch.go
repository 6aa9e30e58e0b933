package appsuite

import (
	"sync"
	"time"
)

// batches says how many items go into the next request of "multiple". It begins
// with what every server does well and grows while answers come quickly: a request
// of 500 items was measured to take no more than twice the time of one of 100, and
// counts as one for the rate limit. It shrinks where the server is slow, so that no
// request outlasts the patience of a proxy before it.
type batches struct {
	mu   sync.Mutex
	size int
}

const (
	firstBatch    = 100
	smallestBatch = 25
	batchTime     = 10 * time.Second // what a request should take at most
)

// next is the size of the next batch, at most most.
func (b *batches) next(most int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size == 0 {
		b.size = firstBatch
	}
	return min(b.size, most)
}

// took learns from n items that were answered after d.
func (b *batches) took(n int, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < b.size && d < batchTime {
		return // a small one says little
	}
	fits := n * 5
	if d > 0 {
		fits = int(min(time.Duration(fits), time.Duration(n)*batchTime/d))
	}
	b.size = max(smallestBatch, fits)
}

// lost halves the batches after one that was not answered.
func (b *batches) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.size = max(smallestBatch, b.size/2)
}
