package ucstest

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// modified is when an entry was changed last; zero: it is not known, as within the
// second of the change, when the date says too little.
func modified(e *ldap.Entry) time.Time {
	t, err := time.Parse("20060102150405Z", e.GetAttributeValue("modifyTimestamp"))
	if err != nil || time.Since(t) < time.Second {
		return time.Time{}
	}
	return t
}

// conditions says how a request ends whose conditions do not hold; a status of 0: they
// do. A date that cannot be read is passed over, a tag that cannot is refused.
func conditions(r *http.Request, tag string, changed time.Time) (udmAnswer, error) {
	reads := r.Method == http.MethodGet
	failed := refuse(http.StatusPreconditionFailed, "the object has changed")
	if want := r.Header.Get("If-Match"); want != "" && !reads {
		match, ok := tagIn(want, tag)
		switch {
		case !ok:
			return udmAnswer{}, refuse(http.StatusBadRequest, "If-Match cannot be read")
		case !match:
			return udmAnswer{}, failed
		}
	}
	since := func(header string) (time.Time, bool) {
		t, err := http.ParseTime(r.Header.Get(header))
		return t, err == nil && !changed.IsZero()
	}
	if t, ok := since("If-Unmodified-Since"); ok && !reads && changed.After(t) {
		return udmAnswer{}, failed
	}
	if match, _ := tagIn(r.Header.Get("If-None-Match"), tag); match {
		if !reads {
			return udmAnswer{}, failed
		}
		return udmAnswer{status: http.StatusNotModified}, nil
	}
	if t, ok := since("If-Modified-Since"); ok && reads && !changed.After(t) {
		return udmAnswer{status: http.StatusNotModified}, nil
	}
	return udmAnswer{}, nil
}

// tagIn reports whether a list of tags has one, and whether it can be read.
func tagIn(list, tag string) (match, ok bool) {
	if list == "*" {
		return true, true
	}
	for t := range strings.SplitSeq(list, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if len(t) < 2 || t[0] != '"' || t[len(t)-1] != '"' {
			return false, false
		}
		match = match || t == tag
	}
	return match, true
}
