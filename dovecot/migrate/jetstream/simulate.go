package jetstream

import (
	"container/heap"
	"time"

	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
)

// Rates are what accounts cost, measured: each of them, and each message.
type Rates struct{ Account, Message time.Duration }

// RatesOf are the rates of a run that has been, such as a pilot: the straight line that fits its
// accounts' times best (least squares). ok is false when no account was copied.
func RatesOf(rep *runner.Report) (r Rates, ok bool) {
	var n, sumM, sumT, sumMM, sumMT float64
	if rep.Wave == nil {
		return r, false
	}
	for _, a := range rep.Wave.Accounts {
		if a.Result == nil || a.Result.Copied == 0 || a.Reason != "" {
			continue
		}
		m, t := float64(a.Result.Copied), a.Result.Duration.Seconds()
		n, sumM, sumT, sumMM, sumMT = n+1, sumM+m, sumT+t, sumMM+m*m, sumMT+m*t
	}
	if n == 0 {
		return r, false
	}
	each, base := sumT/sumM, 0.0
	if d := n*sumMM - sumM*sumM; d > 0 {
		slope := (n*sumMT - sumM*sumT) / d
		if at0 := (sumT - slope*sumM) / n; slope > 0 && at0 > 0 {
			each, base = slope, at0
		}
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return Rates{seconds(base), seconds(each)}, true
}

// Simulate says how long a wave takes when its accounts, of that many messages each, are handed out in
// this order to machines that work at parallel accounts each, while a server allows so many
// connections in all (0: no limit). It takes the rates to hold however many work at once: what the
// servers themselves can do is for the pilot to show, by running with that many connections.
func Simulate(messages []int, r Rates, machines, parallel, connections int) time.Duration {
	workers := machines * parallel
	if connections > 0 {
		workers = min(workers, connections)
	}
	free := make(ends, max(min(workers, len(messages)), 1)) // when each worker is free
	var last time.Duration
	for _, m := range messages {
		free[0] += r.Account + time.Duration(m)*r.Message
		last = max(last, free[0])
		heap.Fix(&free, 0)
	}
	return last
}

// ends is a heap of times.
type ends []time.Duration

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i] < e[j] }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push and Pop are not used: there are as many workers at the end as at the beginning.
func (e *ends) Push(any) {}

// Pop is there for the interface.
func (e *ends) Pop() any { return nil }
