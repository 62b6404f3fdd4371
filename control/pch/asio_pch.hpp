// As control_pch.hpp, for the libraries that speak Boost.Asio.
#ifndef PODLANE_ASIO_PCH
#define PODLANE_ASIO_PCH

#include <spdlog/spdlog.h>

#include <boost/asio.hpp>

#include "control_pch.hpp"

#endif
