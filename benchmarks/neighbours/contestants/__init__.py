"""Scripts that train one job each, with nothing imported but what the contestant brings."""
