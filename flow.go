package schoolmail

// flow is a small network for minimum-cost maximum flow by successive shortest
// paths (Bellman-Ford with a queue). The networks here have some dozens of
// nodes, whatever the size of the district.
type flow struct {
	head []int // node -> first edge, -1
	next []int // edge -> next edge of the same node
	to   []int
	cap  []int // what is left
	cost []int
}

func newFlow(nodes int) *flow {
	f := &flow{head: make([]int, nodes)}
	for i := range f.head {
		f.head[i] = -1
	}
	return f
}

// edge adds an edge and returns its number.
func (f *flow) edge(from, to, capacity, cost int) int {
	e := len(f.to)
	f.to = append(f.to, to, from)
	f.cap = append(f.cap, capacity, 0)
	f.cost = append(f.cost, cost, -cost)
	f.next = append(f.next, f.head[from], f.head[to])
	f.head[from], f.head[to] = e, e+1
	return e
}

// used returns what flows through edge e.
func (f *flow) used(e int) int { return f.cap[e^1] }

// run sends as much as possible as cheaply as possible and returns how much.
func (f *flow) run(src, sink int) int {
	const far = int(^uint(0)>>1) / 2
	n := len(f.head)
	dist, via, in := make([]int, n), make([]int, n), make([]bool, n)
	total := 0
	for {
		for i := range dist {
			dist[i], via[i] = far, -1
		}
		dist[src] = 0
		queue := []int{src}
		for len(queue) > 0 {
			u := queue[0]
			queue = queue[1:]
			in[u] = false
			for e := f.head[u]; e >= 0; e = f.next[e] {
				if v := f.to[e]; f.cap[e] > 0 && dist[u]+f.cost[e] < dist[v] {
					dist[v], via[v] = dist[u]+f.cost[e], e
					if !in[v] {
						in[v] = true
						queue = append(queue, v)
					}
				}
			}
		}
		if via[sink] < 0 {
			return total
		}
		push := far
		for v := sink; v != src; v = f.to[via[v]^1] {
			push = min(push, f.cap[via[v]])
		}
		for v := sink; v != src; v = f.to[via[v]^1] {
			f.cap[via[v]] -= push
			f.cap[via[v]^1] += push
		}
		total += push
	}
}
