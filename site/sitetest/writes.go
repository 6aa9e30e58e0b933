package sitetest

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Writes counts what the servers were asked to change since they were started, by
// server and operation; what is not there has not been asked for. Every request to
// doveadm counts: a run that finds everything as it should be sends none.
func (s *Sandbox) Writes() map[string]int {
	w := map[string]int{}
	for op, n := range s.LDAP.Counts() {
		if !slices.Contains([]string{"bind", "unbind", "search", "compare", "abandon", "extended"}, op) {
			w["ldap "+op] = n
		}
	}
	for op, n := range s.OX.Counts() {
		_, name, _ := strings.Cut(op, ".")
		if !slices.ContainsFunc([]string{"list", "get", "exists", "check"},
			func(verb string) bool { return strings.HasPrefix(name, verb) }) {
			w["ox "+op] = n
		}
	}
	if n := s.doveadmRequests.Load(); n > 0 {
		w["doveadm"] = int(n)
	}
	if n := s.SMTP.Count(); n > 0 {
		w["smtp"] = n
	}
	return w
}

// counted is a handler that counts its requests.
func counted(h http.Handler, n *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h.ServeHTTP(w, r)
	})
}
