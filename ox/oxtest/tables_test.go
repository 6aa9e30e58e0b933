package oxtest

import (
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

// tables are the generated operation tables.
var tables = map[string][]*soap.Operation{
	oxcontext.Service: oxcontext.Operations, oxgroup.Service: oxgroup.Operations,
	oxresource.Service:   oxresource.Operations,
	oxsecaccount.Service: oxsecaccount.Operations, oxtask.Service: oxtask.Operations, oxuser.Service: oxuser.Operations,
	oxusercopy.Service: oxusercopy.Operations, oxutil.Service: oxutil.Operations,
}
