package oxtest

import (
	"strconv"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
)

// Filters of the context lists.

func everyContext(*contextState) bool { return true }

func byPattern(p string) func(*contextState) bool {
	return func(c *contextState) bool {
		if matches(p, c.name, true) || p == itoa(c.id) {
			return true
		}
		for _, m := range c.allMappings(true) {
			if matches(p, m, true) {
				return true
			}
		}
		return false
	}
}

func byDatabase(db *oxcontext.Database) func(*contextState) bool {
	return func(c *contextState) bool { return db != nil && c.databaseID == number(db.Id) }
}

func byFilestore(fs *oxcontext.Filestore) func(*contextState) bool {
	return func(c *contextState) bool { return fs != nil && c.filestoreID == number(fs.Id) }
}

func (c *call) databaseMustExist(db *oxcontext.Database) func() *soap.Fault {
	return func() *soap.Fault {
		if db == nil || c.st.databases[number(db.Id)] == nil {
			return c.st.fault(kindNoDatabase, "No such database")
		}
		return nil
	}
}

func (c *call) filestoreMustExist(fs *oxcontext.Filestore) func() *soap.Fault {
	return func() *soap.Fault {
		_, f := c.st.findFilestore(convert[filestoreRef](fs))
		return f
	}
}

// paging makes a paging parameter that was left out an empty text, which is no number.
func paging(p *string) *string { return new(text(p)) }

// listContexts answers the list operations. offset and length are nil for those
// that have no pages.
func (c *call) listContexts(auth *oxcontext.Credentials, keep func(*contextState) bool, check func() *soap.Fault,
	offset, length *string) (out []*oxcontext.Context, fault *soap.Fault) {
	a := convert[creds](auth)
	fault = c.locked(func() *soap.Fault {
		s := c.st
		if f := s.authMaster(a); f != nil {
			return f
		}
		if check != nil {
			if f := check(); f != nil {
				return f
			}
		}
		from, n := 0, -1
		if offset != nil {
			var err1, err2 error
			from, err1 = strconv.Atoi(*offset)
			n, err2 = strconv.Atoi(*length)
			if err1 != nil || err2 != nil {
				f := s.fault(kindStorage, "Invalid integer parameter")
				f.ExceptionIDs = nil
				return f
			}
		}
		for _, id := range s.contextIDs() {
			if cs := s.contexts[id]; keep(cs) {
				out = append(out, cs.show(true))
			}
		}
		switch {
		case n < 0 || from < 0:
		default:
			from = min(from, len(out))
			out = out[from:min(from+n, len(out))]
		}
		return nil
	})
	return out, fault
}

// bare drops what the lists by database and by file store do not fill.
func bare(l []*oxcontext.Context) []*oxcontext.Context {
	for _, c := range l {
		c.UserAttributes = nil
	}
	return l
}
