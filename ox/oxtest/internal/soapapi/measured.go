package soapapi

import (
	"time"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
)

// Measured returns the time of a call on the server of the reference
// measurements: 8.19, two cores, database on the same machine.
func Measured(c traffic.Call) time.Duration {
	const ms = time.Millisecond
	n := time.Duration(max(c.Objects, 1))
	switch c.Service + "." + c.Op {
	case "OXUserService.create", "OXUserService.createByModuleAccess", "OXUserService.createByModuleAccessName":
		return 34 * ms
	case "OXUserService.change":
		return 13 * ms
	case "OXUserService.changeByModuleAccess", "OXUserService.changeByModuleAccessName":
		return 7 * ms
	case "OXUserService.delete":
		return 100 * ms
	case "OXUserService.deleteMultiple":
		return n * 66 * ms
	case "OXUserService.getData":
		return 11 * ms
	case "OXUserService.getMultipleData":
		return n * 44 * ms / 10
	case "OXUserService.listAll", "OXUserService.list":
		return n * 65 * ms / 100
	case "OXGroupService.addMember", "OXGroupService.removeMember":
		return 12 * ms
	case "OXGroupService.create", "OXGroupService.change":
		return 10*ms + n*ms/2
	case "OXGroupService.getData":
		return 7 * ms
	case "OXContextService.create", "OXContextService.createModuleAccess", "OXContextService.createModuleAccessByName":
		return 70 * ms
	case "OXContextService.delete":
		return 90 * ms
	case "OXContextService.listAll":
		return 14 * ms
	case "OXContextService.changeModuleAccess", "OXContextService.changeModuleAccessByName":
		return n * 63 * ms / 10
	case "OXUserCopyService.copyUser":
		return 50 * ms
	}
	return 4 * ms
}
