"""Where everything is remembered: tables, repositories, the unit of work and the migrations."""
