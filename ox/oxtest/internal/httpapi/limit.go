package httpapi

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// slidingWindow counts events.
type slidingWindow struct {
	at []time.Time
}

func (w *slidingWindow) trim(now time.Time, length time.Duration) {
	i := 0
	for i < len(w.at) && now.Sub(w.at[i]) >= length {
		i++
	}
	w.at = w.at[i:]
}

// clientKey is what OX counts by: address and User-Agent.
func clientKey(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return host + "|" + r.UserAgent()
}

// admit counts a request and reports whether it is within the limit.
func (a *API) admit(r *http.Request) bool {
	if a.Options.Rate < 0 {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	key, now := clientKey(r), time.Now()
	w := a.requests[key]
	if w == nil {
		w = &slidingWindow{}
		a.requests[key] = w
	}
	w.trim(now, a.Options.RateWindow)
	if len(w.at) >= a.Options.Rate {
		return false
	}
	w.at = append(w.at, now)
	return true
}

// refuse answers that there were too many requests or failed logins.
func (a *API) refuse(w http.ResponseWriter, rq *request) {
	w.Header().Set("Retry-After", strconv.Itoa(int(a.Options.RateWindow.Seconds())))
	a.write(w, rq, reply{raw: htmlPage(http.StatusTooManyRequests)}, nil)
}
