package seating

// flow is a network for minimum-cost maximum flow by successive shortest paths
// (Bellman-Ford with a queue). The networks here have some dozens of nodes,
// whatever the number of people.
type flow struct {
	head []int // node -> first edge, -1
	next []int // edge -> next edge of the same node
	to   []int
	left []int // what may still flow
	cost []int64
}

func newFlow(nodes int) *flow {
	f := &flow{head: make([]int, nodes)}
	for i := range f.head {
		f.head[i] = -1
	}
	return f
}

// edge adds an edge and returns its number.
func (f *flow) edge(from, to, capacity int, cost int64) int {
	e := len(f.to)
	f.to = append(f.to, to, from)
	f.left = append(f.left, capacity, 0)
	f.cost = append(f.cost, cost, -cost)
	f.next = append(f.next, f.head[from], f.head[to])
	f.head[from], f.head[to] = e, e+1
	return e
}

// used returns what flows through edge e; of no edge (-1) nothing does.
func (f *flow) used(e int) int {
	if e < 0 {
		return 0
	}
	return f.left[e^1]
}

// run sends as much as possible as cheaply as possible from src to sink, and
// returns how much.
func (f *flow) run(src, sink int) int {
	total := 0
	const far = int64(1) << 62
	n := len(f.head)
	dist, via, waits := make([]int64, n), make([]int, n), make([]bool, n)
	var queue []int
	for {
		for i := range dist {
			dist[i], via[i] = far, -1
		}
		dist[src] = 0
		queue = append(queue[:0], src)
		for at := 0; at < len(queue); at++ {
			u := queue[at]
			waits[u] = false
			for e := f.head[u]; e >= 0; e = f.next[e] {
				v := f.to[e]
				if d := dist[u] + f.cost[e]; f.left[e] > 0 && d < dist[v] {
					dist[v], via[v] = d, e
					if !waits[v] {
						waits[v] = true
						queue = append(queue, v)
					}
				}
			}
		}
		if via[sink] < 0 {
			return total
		}
		push := int(^uint(0) >> 1)
		for v := sink; v != src; v = f.to[via[v]^1] {
			push = min(push, f.left[via[v]])
		}
		for v := sink; v != src; v = f.to[via[v]^1] {
			f.left[via[v]] -= push
			f.left[via[v]^1] += push
		}
		total += push
	}
}
